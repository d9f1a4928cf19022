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

"""Means with their 95% confidence intervals: percentile bootstrap over people.

Efron, Tibshirani, "An Introduction to the Bootstrap", 1993, chapter 13. People are drawn
with replacement; differences and ratios of two stages are drawn with the same people in
both (paired), since the same faces pass through both.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from training.evaluation.protocol import SEED

DRAWS = 2000

#: One figure for each person.
Values: TypeAlias = Sequence[float] | NDArray[np.float64]


@dataclass(frozen=True)
class Mean:
    """Mean over people.

    Attributes:
        mean: Mean of the figures.
        ci95: Lower and upper end of its 95% confidence interval.
        people: Number of people.

    """

    mean: float
    ci95: tuple[float, float]
    people: int


@dataclass(frozen=True)
class Contrast:
    """Difference or reduction between two measurements of the same people.

    Attributes:
        value: Difference of the means, or 1 minus their ratio.
        ci95: Lower and upper end of its 95% confidence interval.

    """

    value: float
    ci95: tuple[float, float]


@lru_cache(maxsize=8)
def _draws(count: int, seed: int) -> NDArray[np.int64]:
    return np.random.default_rng(seed).integers(0, count, (DRAWS, count))


def _interval(estimates: NDArray[np.float64]) -> tuple[float, float]:
    low, high = np.percentile(estimates, [2.5, 97.5])
    return float(low), float(high)


def mean(values: Values, seed: int = SEED) -> Mean:
    """Return the mean of one figure a person.

    Args:
        values: Figures; those that are NaN (NIQE of a picture without texture) are left out.
        seed: Seed of the draws.

    Raises:
        ValueError: There is no figure.

    """
    array = np.asarray(values, dtype=np.float64)
    array = array[~np.isnan(array)]
    if not len(array):
        raise ValueError('there is no figure to take the mean of')
    estimates = array[_draws(len(array), seed)].mean(axis=1)
    return Mean(float(array.mean()), _interval(estimates), len(array))


def difference(first: Values, second: Values, seed: int = SEED) -> Contrast:
    """Return mean(first) - mean(second), paired.

    Args:
        first: Figures of the people.
        second: Figures of the same people in the same order.
        seed: Seed of the draws.

    Raises:
        ValueError: There is no figure, or the numbers of figures differ.

    """
    a, b = _paired(first, second)
    change = a - b
    return Contrast(float(change.mean()), _interval(change[_draws(len(a), seed)].mean(axis=1)))


def reduction(first: Values, second: Values, seed: int = SEED) -> Contrast:
    """Return 1 - mean(first) / mean(second), paired.

    Args:
        first: Figures of the people.
        second: Figures of the same people in the same order.
        seed: Seed of the draws.

    Raises:
        ValueError: There is no figure, or the numbers of figures differ.

    """
    a, b = _paired(first, second)
    draws = _draws(len(a), seed)
    return Contrast(
        float(1.0 - a.mean() / b.mean()),
        _interval(1.0 - a[draws].mean(axis=1) / b[draws].mean(axis=1)),
    )


def _paired(first: Values, second: Values) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    a, b = np.asarray(first, dtype=np.float64), np.asarray(second, dtype=np.float64)
    if a.shape != b.shape or not len(a):
        raise ValueError(f'paired figures are of the same people: got {a.shape} and {b.shape}')
    return a, b
