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

"""Which layouts are worth having: those that no other beats in everything."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np


def front(costs: Mapping[str, Sequence[float]]) -> list[str]:
    """Return the names that are not dominated, in the order given.

    Args:
        costs: Figures by name, of which less is better; as many for each name.

    Returns:
        Those for which no other is at least as good in every figure and better in one.

    """

    def beats(one: Sequence[float], other: Sequence[float]) -> bool:
        return all(a <= b for a, b in zip(one, other)) and tuple(one) != tuple(other)

    return [
        name
        for name, own in costs.items()
        if not any(beats(other, own) for rival, other in costs.items() if rival != name)
    ]


def at_seconds(history: Sequence[Mapping[str, float]], seconds: float) -> dict[str, float]:
    """Return what a layout had reached after so much training, between two looks by a line.

    Args:
        history: Rows with `step`, `seconds` and figures, in order.
        seconds: Seconds of training; before the first or after the last row, that row is given.

    Returns:
        The figures, and the `step`.

    """
    times = [row['seconds'] for row in history]
    return {
        name: round(float(np.interp(seconds, times, [row[name] for row in history])), 4)
        for name in history[0]
        if name != 'seconds'
    }


def mean_over_sets(quality: Mapping[str, Any], metric: str, cycles: int) -> float:
    """Return a metric at k = cycles, averaged over the degradation sets."""
    return float(np.mean([figures[metric][cycles] for figures in quality.values()]))
