# Copyright 2026 The cfrnet_ros authors
#
# Licensed under the Apache License, Version 2.0 (the "License");
# you may not use this file except in compliance with the License.
# You may obtain a copy of the License at
#
#     http://www.apache.org/licenses/LICENSE-2.0
#
# Unless required by applicable law or agreed to in writing, software
# distributed under the License is distributed on an "AS IS" BASIS,
# WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either express or implied.
# See the License for the specific language governing permissions and
# limitations under the License.

"""Many faces, each degraded by its own plan, in few calls."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch
from torch import Tensor

from training.degradation.fusion import frame_steps, fuse
from training.degradation.plan import Degradation
from training.degradation.resize import Enlarge, Shrink
from training.degradation.step import Extent, Step

#: Sides of the tensors that shrunken faces lie in, as shares of the whole side. Many spare
#: a CPU empty pixels; few spare a GPU calls.
CPU_CANVASES: tuple[float, ...] = (0.25, 0.375, 0.5, 0.625, 0.75, 1.0)
GPU_CANVASES: tuple[float, ...] = (0.5, 1.0)

#: Values that a CPU takes at a time, so that intermediate results stay in its cache.
CPU_CHUNK = 200_000


@dataclass(frozen=True)
class Call:
    """One group of steps that are applied together.

    Attributes:
        members: Places among the frames of the batch, which are its faces where none is fused.
        steps: Step of each member.

    """

    members: tuple[int, ...]
    steps: tuple[Step, ...]


def _schedule(rows: Sequence[Sequence[Step]]) -> list[Call]:
    """Order the steps of each face into as few calls as can be found simply.

    Each round takes the faces whose next step is of one kind. The kind is the one of which
    a call now saves most: many faces need it now, and few only later, which costs another.
    """
    keys: list[list[tuple[str, bool]]] = []
    costs: dict[tuple[str, bool], int] = {}
    for steps in rows:
        low, row = False, []
        for step in steps:
            low = low and not isinstance(step, Enlarge)
            row.append((step.kind, low))
            costs[step.kind, low] = step.cost
            low = low or isinstance(step, Shrink)
        keys.append(row)
    done = [0] * len(rows)
    calls: list[Call] = []
    while True:
        ready: dict[tuple[str, bool], list[int]] = {}
        later: Counter[tuple[str, bool]] = Counter()
        for index, row in enumerate(keys):
            if done[index] < len(row):
                ready.setdefault(row[done[index]], []).append(index)
                later.update(set(row[done[index] + 1 :]))
        if not ready:
            return calls
        members = ready[min(ready, key=lambda k: costs[k] * later[k] / len(ready[k]))]
        calls.append(Call(tuple(members), tuple(rows[i][done[i]] for i in members)))
        for index in members:
            done[index] += 1


@dataclass
class _Face:
    """A face on its way: (3, H, W), and how much of it counts."""

    image: Tensor
    extent: Extent


def _canvas(extent: Extent, size: Extent, shares: Sequence[float]) -> Extent:
    """Return the smallest canvas that holds a shrunken face, in multiples of 16 px."""
    for share in shares:
        canvas = (-int(-size[0] * share // 16) * 16, -int(-size[1] * share // 16) * 16)
        if extent[0] <= canvas[0] and extent[1] <= canvas[1]:
            return canvas
    return -(-size[0] // 16) * 16, -(-size[1] // 16) * 16


class DegradationBatch:
    """The plans of a batch, scheduled once and applied as often as wanted."""

    def __init__(self, plans: Sequence[Degradation]) -> None:
        """Take the plans.

        Args:
            plans: Plan of each image, in the order of the batch.

        """
        self.plans = tuple(plans)
        # Steps of each frame and the place of its face; a fused face has several frames in a row.
        self._frames: list[Sequence[Step]] = []
        self._owners: list[int] = []
        for place, plan in enumerate(self.plans):
            frames = frame_steps(plan.steps, plan.fusion) if plan.fusion else [plan.steps]
            self._frames += frames
            self._owners += [place] * len(frames)

    def __len__(self) -> int:
        """Return the number of plans."""
        return len(self.plans)

    @cached_property
    def calls(self) -> list[Call]:
        """The groups of steps in the order in which they are applied."""
        return _schedule(self._frames)

    def degrade(self, images: Tensor) -> Tensor:
        """Degrade each image by its own plan.

        The result for an image depends on its plan alone, not on the batch it is in (up to
        floating-point rounding; the noise exactly).

        Args:
            images: (B, 3, H, W) RGB in 0..1 on any device, B the number of plans.

        Returns:
            The same shape, type, device and range; differentiable.

        Raises:
            ValueError: The shape does not fit.

        """
        self._check(images)
        with torch.autocast(images.device.type, enabled=False):
            faces = images.float().contiguous()
            if len(self._frames) > len(self.plans):
                faces = faces[torch.tensor(self._owners).to(faces.device)]
            return self._fuse(self._run(faces)).to(images.dtype)

    def targets(self, images: Tensor) -> Tensor:
        """Return what a perfect restoration of the degraded images would be.

        Args:
            images: (B, 3, H, W) RGB in 0..1, undegraded.

        Returns:
            The same shape: the images, grey where no colour is left to be restored.

        Raises:
            ValueError: The shape does not fit.

        """
        self._check(images)
        changes = [(i, p.target) for i, p in enumerate(self.plans) if p.target is not None]
        if not changes:
            return images
        steps = [target for _, target in changes]
        size = (images.shape[-2], images.shape[-1])
        index = torch.tensor([i for i, _ in changes]).to(images.device)
        changed = type(steps[0]).apply(images[index], steps, [size] * len(steps))
        return images.index_copy(0, index, changed.to(images.dtype).contiguous())

    def _fuse(self, frames: Tensor) -> Tensor:
        """Average the frames of each fused face: (M, 3, H, W) to (B, 3, H, W)."""
        if frames.shape[0] == len(self.plans):
            return frames
        fused = {place for place, plan in enumerate(self.plans) if plan.fusion is not None}
        among = [place in fused for place in self._owners]
        alone = [i for i, inside in enumerate(among) if not inside]
        several = [i for i, inside in enumerate(among) if inside]
        device = frames.device
        averages = fuse(
            frames[torch.tensor(several).to(device)],
            [plan.fusion for plan in self.plans if plan.fusion is not None],
        )
        order = [self._owners[i] for i in alone] + sorted(fused)
        joined = torch.cat([frames[torch.tensor(alone, dtype=torch.long).to(device)], averages])
        return joined[torch.tensor(np.argsort(order)).to(device)]

    def _check(self, images: Tensor) -> None:
        if images.ndim != 4 or images.shape[1] != 3:
            raise ValueError(f'images must be (B, 3, H, W), not {tuple(images.shape)}')
        if images.shape[0] != len(self.plans):
            raise ValueError(
                f'{images.shape[0]} images but {len(self.plans)} plans: each image needs one'
            )

    def _run(self, images: Tensor) -> Tensor:
        size: Extent = (images.shape[-2], images.shape[-1])
        shares = CPU_CANVASES if images.device.type == 'cpu' else GPU_CANVASES
        faces = [_Face(image, size) for image in images.unbind()]
        for call in self.calls:
            groups: dict[tuple[Extent, Extent], list[tuple[_Face, Step, Extent]]] = {}
            for index, step in zip(call.members, call.steps):
                face = faces[index]
                # Old and new size of the tensor, and the new size of the face.
                old: Extent = (face.image.shape[-2], face.image.shape[-1])
                new, extent = old, face.extent
                if isinstance(step, Shrink):
                    extent = step.extent(extent)
                    new = _canvas(extent, size, shares)
                elif isinstance(step, Enlarge):
                    new = extent = size
                groups.setdefault((old, new), []).append((face, step, extent))
            for (old, new), group in groups.items():
                most = len(group)
                if images.device.type == 'cpu':
                    most = max(1, CPU_CHUNK // (3 * max(old[0] * old[1], new[0] * new[1])))
                    # Like with like: a group costs what its widest member does.
                    group.sort(key=lambda item: item[1].reach)
                for begin in range(0, len(group), most):
                    _apply(group[begin : begin + most], new)
        return torch.stack([face.image for face in faces]).clamp(0.0, 1.0)


def _apply(group: Sequence[tuple[_Face, Step, Extent]], size: Extent) -> None:
    """Apply a group's steps, the result in tensors of a size, and put it into the faces."""
    images = torch.stack([face.image for face, _, _ in group])
    steps: list[Any] = [step for _, step, _ in group]
    extents = [extent for _, _, extent in group]
    if isinstance(steps[0], Shrink):
        result = Shrink.resize(images, steps, extents, size)
    elif isinstance(steps[0], Enlarge):
        result = Enlarge.resize(images, steps, [face.extent for face, _, _ in group], size)
    else:
        result = type(steps[0]).apply(images, steps, extents)
    for (face, _, extent), image in zip(group, result.unbind()):
        face.image, face.extent = image, extent


def degrade(images: Tensor, plans: Sequence[Degradation]) -> Tensor:
    """Degrade each image by its own plan; see `DegradationBatch.degrade`."""
    return DegradationBatch(plans).degrade(images)


def targets(images: Tensor, plans: Sequence[Degradation]) -> Tensor:
    """Return the truth of each image under its plan; see `DegradationBatch.targets`."""
    return DegradationBatch(plans).targets(images)
