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

"""Faces that were filmed and fused, which a step may count beside degraded ones."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from torch import Tensor

from training.data.crops import to_tensor

#: Name of the set of these faces.
FILMED = 'filmed'


def read_filmed_faces(path: Path) -> list[tuple[Tensor, Tensor]]:
    """Read what `benchmarks.filmed_faces` wrote.

    Args:
        path: NumPy archive with `fused` and `truth`, both (N, 256, 256, 3) uint8 BGR.

    Returns:
        For each face the fused crop, as the network gets it, and the truth: (1, 3, 256, 256) RGB
        in 0..1 each.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: It is not such an archive, or has no face.

    """
    if not path.is_file():
        raise FileNotFoundError(f"'{path}' is missing; benchmarks.filmed_faces writes it")
    try:
        with np.load(path) as saved:
            fused, truth = saved['fused'], saved['truth']
    except (KeyError, ValueError, OSError) as error:
        raise ValueError(f"'{path}' is not a file of benchmarks.filmed_faces") from error
    if fused.shape != truth.shape or fused.ndim != 4 or not len(fused):
        raise ValueError(f"'{path}' needs as many fused crops as truths, and one at least")
    return [(to_tensor(one), to_tensor(other)) for one, other in zip(fused, truth, strict=True)]
