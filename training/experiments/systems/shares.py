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

"""The batch of all rows as one row sees it: cycles, and which faces the dear terms see."""

from __future__ import annotations

import dataclasses

import numpy as np
import torch

from training.losses.ccfp import Batch
from training.run.config import RunConfig


def for_row(batch: Batch, now: RunConfig, step: int) -> Batch:
    """Return a batch with what is drawn by a row's own configuration.

    Rows with the same probabilities get the same draws.

    Args:
        batch: Batch of all rows.
        now: Configuration of the row at this step.
        step: Number of the step.

    """
    rng = np.random.default_rng((now.seed, step, 1))
    draw, depth_draw = float(rng.random()), float(rng.random())
    bounds = np.cumsum(now.cycles) / sum(now.cycles)
    cycles = int(np.searchsorted(bounds, draw, side='right')) + 1
    size = len(batch.truth)
    extra = _part(size, now.extra_share) if step % now.extra_every == 0 else 0
    noise = None
    if extra and now.loss.idempotence_noise > 0:
        white = rng.standard_normal((extra, *batch.truth.shape[1:]), dtype=np.float32)
        noise = torch.from_numpy(white * now.loss.idempotence_noise).to(batch.truth.device)
    return dataclasses.replace(
        batch,
        cycles=min(cycles, len(now.cycles)),
        seen=_part(size, now.perceptual_share),
        extra=extra,
        depth=int(depth_draw * (now.loss.idempotence_depth + 1)),
        noise=noise,
    )


def _part(size: int, share: float) -> int:
    return max(1, round(size * share)) if share > 0 else 0
