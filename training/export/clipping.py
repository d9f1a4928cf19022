"""The range of a channel with which eight bits lose least: what is rounded against what is cut off.

A few faces drive a channel far beyond what all others need. A range that holds them rounds every
other face more coarsely; the squared errors of both are weighed here (the calibration that other
tools call MSE, for instance Nagel et al., A White Paper on Neural Network Quantization, 2021,
section 3.1, equation 12).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

#: Smallest and largest power of two that is told apart, and number of bins per power.
_LOWEST, _HIGHEST, _PER_OCTAVE = -10, 8, 10

_BINS = (_HIGHEST - _LOWEST) * _PER_OCTAVE

#: Number of steps of an unsigned byte.
_STEPS = 255

#: Tensors larger than this are sampled at every second row and column.
_SAMPLED_SIDE = 64


class Spread:
    """How often each channel of a non-negative tensor takes which values."""

    def __init__(self, channels: int) -> None:
        """Begin with nothing seen.

        Args:
            channels: Number of channels C.

        """
        # Number, sum and sum of squares of the values in each bin.
        self._moments = np.zeros((3, channels, _BINS))
        self._largest = np.zeros(channels)

    def add(self, values: NDArray[np.float32]) -> None:
        """Count the values of a tensor, (1, C, H, W); what is 0 or less is never rounded."""
        self._largest = np.maximum(self._largest, values.max(axis=(0, 2, 3)))
        every = 2 if values.shape[2] > _SAMPLED_SIDE else 1
        sampled = values[0, :, ::every, ::every]
        live = sampled > 2.0**_LOWEST
        found = sampled[live].astype(np.float64)
        place = ((np.log2(found) - _LOWEST) * _PER_OCTAVE).astype(np.int64).clip(0, _BINS - 1)
        place += np.nonzero(live)[0] * _BINS
        for moments, power in zip(self._moments, range(3)):
            counted = np.bincount(place, found**power, minlength=moments.size)
            moments += counted.reshape(moments.shape)

    def ranges(self) -> NDArray[np.float64]:
        """Return the (C,) ranges of least squared error, 0 for a channel that was never live."""
        edges = 2.0 ** (_LOWEST + np.arange(1, _BINS + 1) / _PER_OCTAVE)
        # Moments of what lies above each edge.
        above = np.zeros_like(self._moments)
        above[:, :, :-1] = self._moments[:, :, :0:-1].cumsum(axis=2)[:, :, ::-1]
        number, total, squares = above
        cut_off = squares - 2 * edges * total + edges**2 * number
        inside = self._moments[0].sum(axis=1, keepdims=True) - number
        rounded = inside * (edges / _STEPS) ** 2 / 12
        best = edges[(cut_off + rounded).argmin(axis=1)]
        return np.where(self._largest > 0, np.minimum(best, self._largest), 0.0)
