"""Means with their 95% confidence intervals: percentile bootstrap over people.

Efron, Tibshirani, "An Introduction to the Bootstrap", 1993, chapter 13. People are drawn
with replacement; differences and ratios of two stages are drawn with the same people in
both (paired), since the same faces pass through both.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.evaluation.protocol import SEED

DRAWS = 2000


@lru_cache(maxsize=8)
def _draws(count: int) -> NDArray[np.int64]:
    return np.random.default_rng(SEED).integers(0, count, (DRAWS, count))


def _interval(estimates: NDArray[np.float64]) -> list[float]:
    low, high = np.percentile(estimates, [2.5, 97.5])
    return [float(low), float(high)]


def mean(values: Sequence[float]) -> dict[str, Any]:
    """Return `mean`, `ci95` and `people` of one figure a person.

    Figures that are NaN (NIQE of a picture without texture) are left out.

    Raises:
        ValueError: there is no figure.

    """
    array = np.asarray(values, dtype=np.float64)
    array = array[~np.isnan(array)]
    if not len(array):
        raise ValueError('there is no figure to take the mean of')
    estimates = array[_draws(len(array))].mean(axis=1)
    return {'mean': float(array.mean()), 'ci95': _interval(estimates), 'people': len(array)}


def difference(first: Sequence[float], second: Sequence[float]) -> dict[str, Any]:
    """Return `value` and `ci95` of mean(first) - mean(second), paired."""
    a, b = _paired(first, second)
    return {
        'value': float(a.mean() - b.mean()),
        'ci95': _interval((a - b)[_draws(len(a))].mean(axis=1)),
    }


def reduction(first: Sequence[float], second: Sequence[float]) -> dict[str, Any]:
    """Return `value` and `ci95` of 1 - mean(first) / mean(second), paired."""
    a, b = _paired(first, second)
    draws = _draws(len(a))
    return {
        'value': float(1.0 - a.mean() / b.mean()),
        'ci95': _interval(1.0 - a[draws].mean(axis=1) / b[draws].mean(axis=1)),
    }


def _paired(
    first: Sequence[float], second: Sequence[float]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    a, b = np.asarray(first, dtype=np.float64), np.asarray(second, dtype=np.float64)
    if a.shape != b.shape or not len(a):
        raise ValueError(f'paired figures are of the same people: got {a.shape} and {b.shape}')
    return a, b
