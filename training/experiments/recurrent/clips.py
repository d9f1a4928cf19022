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

"""Short clips of fused crops: one face, one camera, and several frames as the node fuses them.

The crops of neighbouring frames share most of the camera's frames, as they do in the node, so that
the last output knows hardly more of the noise than the newest fused crop does.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from training.data.training_faces import TrainingFaces
from training.degradation import (
    Degradation,
    Enlarge,
    Grey,
    Jpeg,
    LowLight,
    MotionBlur,
    MotionPath,
    Noise,
    Shrink,
    Step,
    Video,
    degrade,
    effective_frames,
    expose_batch,
    sample,
    targets,
)
from training.degradation.fusion import draw_fusion, frame_steps, fuse
from training.degradation.light import Mono

#: Shares of the cameras beside those of `draw_webcam`: those of `sample_fused`, movements during
#: the exposure, and low light.
SHARES = {'fused': 0.5, 'motion': 0.3, 'low_light': 0.2}

#: Share of the clips that a camera of `draw_webcam` films.
_WEBCAMS = 0.5

#: Movements during the exposure are up to so many times longer than in the sets.
_LONGER = 1.8

#: Standard deviations by which such a movement turns from frame to frame, in radians, by which its
#: length changes, as a share, and of the error with which the last output is aligned, in pixels.
_TURN, _CHANGE, _MISALIGNED = 0.08, 0.08, 0.3

#: Share of the clips in which the last output is not resampled, as by a face that does not move.
_AT_REST = 0.4

#: Effective number of frames up to which a place counts as moving, and from which as still.
_MOVING, _STILL = 1.2, 1.6

#: Range of the number of fused frames and of the share that moves: after a second the node fuses 6
#: to 9 frames, and 3 to 7% of a face move (docs/fusion.md).
_FRAMES, _LEAST_MOVING, _MORE_MOVING = (2.0, 16.0), 0.02, 0.9

#: Width of the margin that is cut off, in pixels: near the border only the newest frame counts.
_MARGIN = 8

#: Range of the displacement of the last output where something moved, in pixels.
_DISPLACED = (3.0, 16.0)

#: Share of the clips in which the last output shows somebody else there, as before a hand came.
_ELSE = 0.25


@dataclass(frozen=True)
class Past:
    """How the last output of a frame differs from where it ought to be.

    Attributes:
        shift: Error of alignment to the right and downwards, in pixels.
        displaced: Displacement where something moved, to the right and downwards, in pixels.
        other: Whether the last output of another face is there instead.

    """

    shift: tuple[float, float]
    displaced: tuple[float, float]
    other: bool


@dataclass(frozen=True)
class Clips:
    """Clips of B faces with T frames each, the oldest first.

    Attributes:
        fused: (T, B, 3, H, W) fused crops, RGB in 0..1, brightened as in the node.
        truth: (B, 3, H, W) truth of every frame.
        components: (B, 1, H, W) map of the facial components, 0..1.
        newest: (B, 1, H, W) weight of the newest frame in the fused crop, above 0 up to 1.
        moved: (B, 1, H, W) share of motion, 0 where nothing moved and 1 where the newest frame
            alone counts.
        pasts: For each frame but the first, how the last outputs of the B faces differ.

    """

    fused: Tensor
    truth: Tensor
    components: Tensor
    newest: Tensor
    moved: Tensor
    pasts: Sequence[Sequence[Past]]


def draw_camera(rng: np.random.Generator) -> Degradation:
    """Draw the camera of a clip: steps with noise, and how its frames are fused."""
    while True:
        plan = draw_webcam(rng) if rng.random() < _WEBCAMS else sample(rng, SHARES)
        # Nothing is fused of H.264, whose frames hold no independent noise.
        if not any(isinstance(step, Video) for step in plan.steps):
            break
    longer = math.exp(rng.uniform(0.0, math.log(_LONGER)))
    steps = tuple(
        replace(step, length=step.length * longer)
        if isinstance(step, (MotionBlur, MotionPath))
        else step
        for step in plan.steps
    )
    least, most = _FRAMES
    fusion = replace(
        draw_fusion(rng),
        frames=round(math.exp(rng.uniform(math.log(least), math.log(most)))),
        moving=float(rng.beta(1.0, 6.0) * _MORE_MOVING + _LEAST_MOVING),
    )
    return Degradation(steps, plan.target, fusion=fusion)


def draw_webcam(rng: np.random.Generator) -> Degradation:
    """Draw a camera whose fused crops are good already: few pixels, noise and some compression.

    The sets of `SHARES` are so spoilt that a network which learns on them alone sharpens good crops
    away from the person.
    """
    target = Grey((0.5, 0.3, 0.2)) if rng.random() < 0.25 else None
    seed = int(rng.integers(2**31))
    noise: Step = Noise(rng.uniform(2.0, 20.0) / 255.0, seed)
    if rng.random() < 0.35:
        gain, shot, read = np.exp(
            rng.uniform(np.log((0.15, 3e-4, 1e-3)), np.log((0.8, 3e-3, 1e-2)))
        )
        noise = LowLight(float(gain), float(shot), float(read), seed)
    steps: list[Step] = [target] if target else []
    steps += [Shrink(rng.uniform(1.5, 4.0), 'area'), noise]
    if rng.random() < 0.6:
        steps.append(Jpeg(int(rng.integers(45, 96))))
    steps.append(Enlarge('bilinear'))
    if target:
        steps.append(Mono((0.299, 0.587, 0.114)))
    return Degradation(tuple(steps), target)


def camera_frames(plan: Degradation, count: int) -> list[tuple[Step, ...]]:
    """Return the steps of each frame of a camera, the newest first.

    Args:
        plan: Plan of the camera, with a fusion.
        count: Number of frames.

    Returns:
        Steps with a noise and a movement of each frame's own; what blurs by motion turns and
        changes its length from frame to frame.

    Raises:
        ValueError: The plan has no fusion.

    """
    if plan.fusion is None:
        raise ValueError('a clip needs a plan with a fusion; sample_fused draws one')
    fusion = replace(plan.fusion, frames=count)
    rng = np.random.default_rng((plan.fusion.seed, count, 1))
    turn = float(rng.normal(0.0, _TURN))
    frames = []
    for age, steps in enumerate(frame_steps(plan.steps, fusion)):
        factor = math.exp(float(rng.normal(0.0, _CHANGE))) if age else 1.0
        frames.append(
            tuple(
                replace(step, angle=step.angle + age * turn, length=step.length * factor)
                if isinstance(step, (MotionBlur, MotionPath))
                else step
                for step in steps
            )
        )
    return frames


def make_clips(
    faces: TrainingFaces, key: tuple[int, int], count: int, crop: int, length: int
) -> Clips:
    """Draw clips; they depend on the key alone.

    Args:
        faces: Training faces.
        key: Seed of the run and number of the step.
        count: Number of clips B.
        crop: Side of the windows in pixels.
        length: Number of frames T.

    """
    rng = np.random.default_rng(key)
    indices = rng.choice(len(faces), count, replace=count > len(faces))
    face, components = faces.draw(rng, [int(i) for i in indices], crop + 2 * _MARGIN)
    plans = [draw_camera(rng) for _ in range(count)]
    with torch.no_grad():
        fused = torch.stack([expose_batch(_inner(one)) for one in fused_clips(face, plans, length)])
        truth = expose_batch(_inner(targets(face, plans)))
        frames = _inner(effective_frames([plan.fusion for plan in plans if plan.fusion], face))
    pasts = [[_draw_past(rng) for _ in range(count)] for _ in range(length - 1)]
    moved = ((_STILL - frames) / (_STILL - _MOVING)).clamp(0.0, 1.0)
    return Clips(fused, truth, _inner(components), 1.0 / frames, moved, pasts)


def fused_clips(face: Tensor, plans: Sequence[Degradation], length: int) -> Tensor:
    """Film faces and fuse the frames.

    Args:
        face: (B, 3, H, W) faces, RGB in 0..1.
        plans: Plan of each face's camera, with a fusion.
        length: Number of fused crops T of each face.

    Returns:
        (T, B, 3, H, W), the oldest first.

    """
    fusions = [plan.fusion for plan in plans if plan.fusion is not None]
    filmed = [camera_frames(p, fusion.frames + length - 1) for p, fusion in zip(plans, fusions)]
    owners = [place for place, frames in enumerate(filmed) for _ in frames]
    alone = [Degradation(steps) for frames in filmed for steps in frames]
    seen = degrade(face[torch.tensor(owners)], alone).split([len(frames) for frames in filmed])
    crops = []
    for age in reversed(range(length)):
        windows = [one[age : age + fusion.frames] for one, fusion in zip(seen, fusions)]
        crops.append(fuse(torch.cat(windows), fusions))
    return torch.stack(crops)


def _inner(images: Tensor) -> Tensor:
    return images[..., _MARGIN:-_MARGIN, _MARGIN:-_MARGIN].contiguous()


def _draw_past(rng: np.random.Generator) -> Past:
    right, down = (0.0, 0.0) if rng.random() < _AT_REST else rng.normal(0.0, _MISALIGNED, 2)
    least, most = _DISPLACED
    far = math.exp(rng.uniform(math.log(least), math.log(most)))
    angle = rng.uniform(0.0, 2.0 * math.pi)
    return Past(
        (float(right), float(down)),
        (far * math.cos(angle), far * math.sin(angle)),
        bool(rng.random() < _ELSE),
    )


def carried(output: Tensor, moved: Tensor, pasts: Sequence[Past]) -> Tensor:
    """Return the last outputs as registration brings them to the next frame.

    Args:
        output: (B, 3, H, W) last outputs.
        moved: (B, 1, H, W) share of motion, 0..1.
        pasts: How each of the B outputs differs from where it ought to be.

    Returns:
        (B, 3, H, W) in 0..1: the outputs with a small error of alignment where nothing moved, and
        something else where something did.

    """
    side = output.shape[-1]
    shift = torch.tensor([past.shift for past in pasts]).view(-1, 1, 1, 2)
    displaced = torch.tensor([past.displaced for past in pasts]).view(-1, 1, 1, 2)
    axis = torch.arange(side, dtype=torch.float32)
    places = torch.stack(torch.meshgrid(axis, axis, indexing='xy'), dim=-1)
    source = places - shift - moved.permute(0, 2, 3, 1) * displaced
    grid = source * (2.0 / (side - 1)) - 1.0
    before = F.grid_sample(
        output, grid, mode='bicubic', padding_mode='reflection', align_corners=True
    )
    other = torch.tensor([float(past.other) for past in pasts]).view(-1, 1, 1, 1) * moved
    return (before + other * (output.roll(1, 0) - before)).clamp(0.0, 1.0)
