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

"""Batches: drawn and degraded ahead of the step that sees them."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np
import torch

from training.critics.eye_openness import EyeShift
from training.critics.face_view import STRAIGHT, View
from training.data.crops import SIZE
from training.data.training_faces import TrainingFaces
from training.degradation import SAMPLERS, clean_plan, degrade, expose_batch, sample, targets
from training.losses.ccfp import Batch
from training.run.config import RunConfig

#: Largest shift of the eyes before their openness is measured, in pixels of the crop.
_EYE_SHIFT_PX = 2.0


def check_sets(config: RunConfig) -> None:
    """Refuse a config that names a set of degradations that there is not, at any step.

    Raises:
        ValueError: A set is unknown; the message names it and the first step of its stage.

    """
    for begin, phase in config.phases:
        unknown = sorted(set(phase.shares) - set(SAMPLERS))
        if unknown:
            raise ValueError(
                f'the shares from step {begin} on name unknown set(s) of degradations {unknown}; '
                f'known are {sorted(SAMPLERS)}'
            )


def make_batch(
    faces: TrainingFaces, now: RunConfig, step: int, rank: int = 0
) -> tuple[Batch, bool]:
    """Draw the batch of a step; it depends on the seed, the step and the process alone.

    Args:
        faces: Training faces.
        now: Configuration of this step (see `RunConfig.at`).
        step: Number of the step, from 0.
        rank: Number of the process: each has faces of its own, but all the same k, so that none
            waits for another.

    Returns:
        The batch, on the faces' device, and whether its windows are whole crops.

    """
    rng = np.random.default_rng((now.seed, step, rank))
    # A key that no rank has: NumPy takes (a, b) and (a, b, 0) for the same.
    common = np.random.default_rng((now.seed, step, 2**32 - 1))
    whole = now.whole_every > 0 and step % now.whole_every == now.whole_every - 1
    crop = SIZE if whole else now.crop
    size = max(2, now.pixels // (crop * crop))
    chances = faces.chances(now.face_weights)
    possible = len(faces) if chances is None else int((chances > 0).sum())
    indices = rng.choice(len(faces), size, replace=possible < size, p=chances)
    face, components = faces.draw(rng, [int(i) for i in indices], crop, now.augmentation)
    plans = [
        clean_plan() if rng.random() < now.clean_share else sample(rng, now.shares)
        for _ in range(size)
    ]
    share = np.asarray(now.cycles) / sum(now.cycles)
    cycles = int(common.choice(len(share), p=share)) + 1
    depth = int(common.integers(0, now.loss.idempotence_depth + 1))
    top, left = (int(v) for v in rng.integers(0, crop - now.crop + 1, 2))
    with torch.no_grad():
        layout = torch.channels_last
        degraded = expose_batch(degrade(face, plans)).contiguous(memory_format=layout)
        # A photograph that is dark by intent would ask for darkening what was brightened.
        truth = expose_batch(targets(face, plans)).contiguous(memory_format=layout)
    extra = _part(size, now.extra_share) if step % now.extra_every == 0 else 0
    noise = None
    if extra and now.loss.idempotence_noise > 0:
        white = rng.standard_normal((extra, 3, crop, crop), dtype=np.float32)
        noise = torch.from_numpy(white * now.loss.idempotence_noise).to(face.device)
    batch = Batch(
        degraded=degraded,
        truth=truth,
        components=components,
        plans=plans,
        cycles=cycles,
        seen=_part(size, now.perceptual_share),
        extra=extra,
        depth=depth,
        window=(top, left, now.crop),
        noise=noise,
        view=_view(rng, now.loss.identity_views),
        eye_shift=_eye_shift(rng) if now.loss.eyes > 0 else (0.0, 0.0),
    )
    return batch, whole


def _eye_shift(rng: np.random.Generator) -> EyeShift:
    """Draw a shift: what a network of one view is deceived by hardly deceives it in another."""
    right, down = (float(v) for v in rng.uniform(-_EYE_SHIFT_PX, _EYE_SHIFT_PX, 2))
    return right, down


def _view(rng: np.random.Generator, spread: float) -> View:
    if spread == 0.0:
        return STRAIGHT
    zoom, right, down = (float(v) for v in rng.standard_normal(3) * spread)
    return float(np.exp(zoom)), right, down


def _part(size: int, share: float) -> int:
    return max(1, round(size * share)) if share > 0 else 0


class BatchSource:
    """Makes the next batch in a thread while the present one is trained on."""

    def __init__(self, faces: TrainingFaces, config: RunConfig, rank: int = 0) -> None:
        """Start the thread.

        Args:
            faces: Training faces.
            config: Configuration of the run.
            rank: Number of this process.

        Raises:
            ValueError: The config names an unknown set of degradations, or weighs faces that there
                are not.

        """
        check_sets(config)
        faces.chances(config.face_weights)
        self._faces, self._config, self._rank = faces, config, rank
        self._pool = ThreadPoolExecutor(1)
        self._next: tuple[tuple[int, RunConfig], Future[tuple[Batch, bool]]] | None = None

    def take(self, step: int, clock: int) -> tuple[Batch, bool]:
        """Return the batch of a step and begin with that of the next.

        Args:
            step: Number of the step, which decides what is drawn.
            clock: Step by which the schedules go (see `Trainer.clock`).

        """
        now = self._config.at(clock)
        if self._next is not None and self._next[0] == (step, now):
            batch = self._next[1].result()
        else:
            batch = make_batch(self._faces, now, step, self._rank)
        after = self._config.at(clock + 1)
        self._next = ((step + 1, after), self._submit(make_batch, after, step + 1))
        return batch

    def _submit(
        self, work: Callable[..., tuple[Batch, bool]], now: RunConfig, step: int
    ) -> Future[tuple[Batch, bool]]:
        return self._pool.submit(work, self._faces, now, step, self._rank)

    def close(self) -> None:
        """Stop the thread."""
        self._pool.shutdown(cancel_futures=True)
