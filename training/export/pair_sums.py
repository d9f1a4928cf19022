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

"""Weights of 8 bits whose products any x86-64 CPU adds up without an overflow.

CPUs with AVX2 and without VNNI multiply unsigned by signed bytes and add the two products of a pair
in 16 bits, with saturation (the instruction vpmaddubsw). ONNX Runtime orders the weights of a
convolution by row and column of the kernel, then by input channel, in groups of four of which it
adds the first two and the last two products (MlasConvSymPackW in convsym.cpp, ReorderFilter in
qlinearconv.cc). So what is limited is the sum of two neighbouring input channels' weights, not
each weight: one of 127 beside one of 1 is as good as two of 64.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

#: Largest magnitude of a weight, and of a sum of two weights of one sign in a pair. An activation
#: is 255 at most, and 255 * 128 = 32,640 fits into 16 bits.
LARGEST_WEIGHT, LARGEST_PAIR = 127, 128

#: Largest magnitude of a weight of a convolution whose pairs are not known: any two fit.
LARGEST_UNPAIRED = LARGEST_PAIR // 2

#: Number of input channels that the kernels take together. With a number of channels that is no
#: multiple of it, groups span two places of the kernel, which libraries solve differently.
GROUP = 4


def paired(channels: int) -> bool:
    """Return whether the weights of so many input channels are added in known pairs."""
    return channels % GROUP == 0


def largest_pairs(levels: NDArray[np.number]) -> NDArray[np.float64]:
    """Return what a convolution's worst pair of weights adds up to, by output channel.

    Args:
        levels: (O, I, H, W) weights, in steps or in any other unit.

    Returns:
        (O,) largest magnitude of the sum of the positive or of the negative weights of a pair;
        where the pairs are not known, twice the largest magnitude of a weight.

    """
    values = levels.astype(np.float64)
    if not paired(values.shape[1]):
        return np.asarray(2 * np.abs(values).max(axis=(1, 2, 3)))
    # Unsigned activations of 0 can leave either product out, so signs do not cancel.
    above = np.maximum(values, 0.0)
    below = np.maximum(-values, 0.0)
    sums = [part[:, 0::2] + part[:, 1::2] for part in (above, below)]
    return np.asarray(np.maximum(*sums).max(axis=(1, 2, 3)))


def weight_steps(weights: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the shortest steps with which no pair overflows.

    Args:
        weights: (O, I, H, W) real weights.

    Returns:
        (O,) steps, above 0.

    """
    largest = np.abs(weights.astype(np.float64)).max(axis=(1, 2, 3))
    steps = np.maximum(largest_pairs(weights) / LARGEST_PAIR, largest / LARGEST_WEIGHT)
    # Channels without weights.
    return np.where(steps > 0, steps, 1.0).astype(np.float32)


def rounded(scaled: NDArray[np.float32]) -> NDArray[np.int8]:
    """Round weights to levels of which no pair overflows.

    Args:
        scaled: (O, I, H, W) weights in steps.

    Returns:
        The nearest levels; of a pair that is too large, both are reduced alike.

    """
    unpaired = not paired(scaled.shape[1])
    limit = LARGEST_UNPAIRED if unpaired else LARGEST_WEIGHT
    levels = np.rint(scaled).clip(-limit, limit)
    if unpaired:
        return np.asarray(levels.astype(np.int8))
    first, second = levels[:, 0::2], levels[:, 1::2]
    excess = np.maximum(np.abs(first + second) - LARGEST_PAIR, 0) * (first * second > 0)
    sign = np.sign(first)
    half = np.floor(excess / 2)
    larger = np.abs(first) >= np.abs(second)
    first -= sign * np.where(larger, excess - half, half)
    second -= sign * np.where(larger, half, excess - half)
    return np.asarray(levels.astype(np.int8))
