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

"""Differences between the rows and CFRNet of the same budget, face by face."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from training.evaluation.bootstrap import difference
from training.evaluation.meters import Readings
from training.evaluation.protocol import TRUTH

#: Row that the others are compared with, and the metrics that are compared.
REFERENCE, METRICS = 'cfrnet', ('psnr', 'lpips', 'deg')


def best_cycle(faces: Sequence[Readings]) -> str:
    """Return the cycle with the lowest mean LPIPS: what a user of the row would choose.

    Args:
        faces: Readings of one row on one set, with LPIPS.

    """
    stages = [stage for stage in faces[0].values if stage not in ('0', TRUTH)]
    return min(stages, key=lambda stage: sum(face.values[stage]['lpips'] for face in faces))


def against_reference(
    faces: Sequence[Readings], reference: Sequence[Readings]
) -> dict[str, list[float] | str]:
    """Return how far one row is from CFRNet on one set, each at its best cycle.

    Args:
        faces: Readings of the row.
        reference: Readings of CFRNet; those of faces that the row was not measured on are left
            out.

    Returns:
        'k', the row's cycle, and by metric the mean of the row minus CFRNet's, and the lower and
        upper end of its 95% interval (paired bootstrap over people). The interval tells how much
        hangs on the faces, not how much on the seed of the training.

    """
    own, other = best_cycle(faces), best_cycle(reference)
    by_number: Mapping[int, Readings] = {face.number: face for face in reference}
    pairs = [(face.values[own], by_number[face.number].values[other]) for face in faces]
    result: dict[str, list[float] | str] = {'k': own}
    for metric in METRICS:
        both = [(a[metric], b[metric]) for a, b in pairs if metric in a and metric in b]
        if both:
            found = difference([a for a, _ in both], [b for _, b in both])
            result[metric] = [float(f'{v:.4g}') for v in (found.value, *found.ci95)]
    return result
