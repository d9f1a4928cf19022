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

"""Figures of each group, and whether a group is behind the others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.evaluation.bootstrap import DRAWS, mean
from training.evaluation.groups.labels import Dimension
from training.evaluation.meters import Readings
from training.evaluation.protocol import SEED

#: Metrics by their names in the readings: title, digits, and whether a higher figure is better.
METRICS: Mapping[str, tuple[str, int, bool]] = {
    'psnr': ('PSNR, dB', 2, True),
    'lpips': ('LPIPS', 3, False),
    'deg': ('identity, degrees', 1, False),
    'lmd': ('landmark error, %', 2, False),
    'eye_error': ('eye openness error', 3, False),
}

#: Metrics in which a group can be behind. The error of the eyes' openness is not among them: the
#: mesh follows the lids so little that it is mostly noise.
JUDGED = ('lpips', 'deg', 'lmd')

CYCLES = (0, 1, 2, 3)

#: Fewest people of a group that is judged, and by how much less of its error restoration must take
#: away, as a share of the error, before it counts as behind.
LEAST_PEOPLE, BEHIND = 5, 0.05


def summarise(dimension: Dimension, readings: Sequence[Readings]) -> dict[str, Any]:
    """Return the figures of all groups of one dimension.

    Args:
        dimension: Groups of people.
        readings: Readings of all faces, in the order of their numbers.

    Returns:
        By group: `people`, `k` with mean and 95% interval by cycle and metric, and `judged` with,
        by metric, the share of the input's error that two cycles take away, how much larger it is
        than that of the other groups together, its 95% interval, and whether the group is behind.

    """
    everybody = sorted({number for group in dimension.groups.values() for number in group})
    found: dict[str, Any] = {}
    for name, members in dimension.groups.items():
        others = [number for number in everybody if number not in set(members)]
        found[name] = {
            'people': len(members),
            'k': {
                str(k): {metric: _mean(readings, members, k, metric) for metric in METRICS}
                for k in CYCLES
            },
            'judged': {
                metric: _against(readings, members, others, metric)
                for metric in JUDGED
                if min(len(members), len(others)) >= LEAST_PEOPLE
            },
        }
    return found


def _values(
    readings: Sequence[Readings], numbers: Sequence[int], k: int, metric: str
) -> NDArray[np.float64]:
    scale = 100.0 if metric == 'lmd' else 1.0
    return scale * np.array([readings[n].values[str(k)][metric] for n in numbers], np.float64)


def _mean(
    readings: Sequence[Readings], numbers: Sequence[int], k: int, metric: str
) -> dict[str, Any]:
    found = mean(_values(readings, numbers, k, metric))
    return {'mean': found.mean, 'ci95': list(found.ci95)}


def _against(
    readings: Sequence[Readings], members: Sequence[int], others: Sequence[int], metric: str
) -> dict[str, Any]:
    rng = np.random.default_rng(SEED)
    gains, draws, left = [], [], []
    for numbers in (members, others):
        before, after = (_values(readings, numbers, k, metric) for k in (0, 2))
        gains.append(1.0 - after.mean() / before.mean())
        left.append(float(after.mean()))
        drawn = rng.integers(0, len(numbers), (DRAWS, len(numbers)))
        draws.append(1.0 - after[drawn].mean(axis=1) / before[drawn].mean(axis=1))
    low, high = (float(v) for v in np.percentile(draws[0] - draws[1], [2.5, 97.5]))
    ahead = float(gains[0] - gains[1])
    return {
        'gain': float(gains[0]),
        'ahead': ahead,
        'ci95': [low, high],
        # A face that a camera hardly spoils leaves little to take away: that is no disadvantage.
        'behind': bool(high < 0 and ahead < -BEHIND and left[0] > left[1]),
    }
