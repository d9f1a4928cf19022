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

"""Degraded faces as the node would hand them to a restorer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cfrnet_ros.vision.preprocessing.colour_noise import prepare_face
from training.data.crops import aligned, to_image, to_tensor
from training.data.manifest import read_manifest
from training.degradation import sample

#: Mixture of degradation sets to calibrate with and to compare on.
SHARES: Mapping[str, float] = {'general': 0.5, 'car': 0.35, 'mosaic': 0.15}


@dataclass(frozen=True)
class DegradedFace:
    """A degraded face and what it should look like.

    Attributes:
        degraded: (N, N, 3) uint8 BGR, as `prepare_face` makes it where it is dark.
        truth: (N, N, 3) uint8 BGR.

    """

    degraded: NDArray[np.uint8]
    truth: NDArray[np.uint8]


def degraded_faces(data: Path, split: str, count: int, seed: int) -> list[DegradedFace]:
    """Draw faces of a split and degrade each once.

    Args:
        data: Folder with MANIFEST.tsv.
        split: Name of the split in the manifest.
        count: Number of faces, without repetition; all where the split has fewer.
        seed: Seed of the choice and of the degradations.

    Returns:
        The faces, in the order drawn.

    Raises:
        FileNotFoundError: The manifest is missing.
        ValueError: The split is empty, or the count is below 1.

    """
    if count < 1:
        raise ValueError(f'at least one face is needed, not {count}')
    records = read_manifest(data, split)
    rng = np.random.default_rng(seed)
    faces = []
    for index in rng.choice(len(records), min(count, len(records)), replace=False):
        plan = sample(rng, dict(SHARES))
        clean = to_tensor(aligned(records[int(index)]))
        degraded = prepare_face(to_image(plan(clean)))
        faces.append(DegradedFace(degraded, to_image(plan.truth(clean))))
    return faces
