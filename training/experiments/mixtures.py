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

"""Weights mixed of other weights of one layout, modules that are scaled, and their checkpoints."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from torch import Tensor

#: Parts of the network in the order of its layers, each with the beginnings of its modules' names.
#: Every other module belongs to the last part.
PARTS = {
    'encoder': ('stem', 'down', 'encode'),
    'body': ('body',),
    'first decoder': ('up4', 'decode4'),
    'rest': (),
}


def part_of(name: str) -> str:
    """Return the part to which a weight belongs by its name."""
    return next((part for part, begins in PARTS.items() if name.startswith(begins)), 'rest')


def check_layout(base: Mapping[str, Tensor], other: Mapping[str, Tensor]) -> None:
    """Raise a ValueError unless both weights have the same names and shapes."""
    differing = base.keys() ^ other.keys()
    differing |= {n for n in base.keys() & other.keys() if base[n].shape != other[n].shape}
    if differing:
        raise ValueError(f'the weights are not of one layout: {min(differing)} differs')


def mix_parts(
    base: Mapping[str, Tensor], towards: Iterable[tuple[Mapping[str, Tensor], Sequence[float]]]
) -> dict[str, Tensor]:
    """Return mixed weights.

    Args:
        base: Weights by name.
        towards: Weights of the same names and shapes, each with a share for each of `PARTS`: 0 for
            `base`, 1 for these weights. The differences from `base` add up.

    Raises:
        ValueError: Names or shapes differ, or there is not one share for each part.

    """
    mixed = dict(base)
    for other, shares in towards:
        if len(shares) != len(PARTS):
            raise ValueError(f'give {len(PARTS)} shares: {", ".join(PARTS)}; got {len(shares)}')
        check_layout(base, other)
        share = dict(zip(PARTS, shares, strict=True))
        mixed = {n: mixed[n] + share[part_of(n)] * (other[n] - base[n]) for n in base}
    return mixed


def scale_modules(
    weights: Mapping[str, Tensor], factors: Iterable[tuple[str, float]]
) -> dict[str, Tensor]:
    """Return weights with scaled modules.

    Args:
        weights: Weights by name.
        factors: Names of modules, each with its factor. A convolution is scaled with its bias; of a
            residual stage, the second convolution of each block is.

    Raises:
        ValueError: The weights have no such module.

    """
    scaled = dict(weights)
    for module, factor in factors:
        names = [name for name in weights if name.startswith(f'{module}.')]
        # The first convolution of a block ends in a ReLU: scaling both would square the factor.
        branches = [name for name in names if '.conv2.' in name]
        if not names:
            modules = sorted({name.split('.')[0] for name in weights})
            raise ValueError(f"no module '{module}' to scale; the network has {', '.join(modules)}")
        scaled |= {name: scaled[name] * factor for name in branches or names}
    return scaled


def fingerprint(weights: Mapping[str, Tensor]) -> str:
    """Return a hash by which weights are known again."""
    digest = hashlib.sha256()
    for name, value in weights.items():
        digest.update(name.encode() + value.float().contiguous().numpy().tobytes())
    return digest.hexdigest()


def with_weights(state: Mapping[str, Any], weights: Mapping[str, Tensor]) -> dict[str, Any]:
    """Return a run's checkpoint with other weights, without what belongs to its own alone.

    Moments of the optimiser and shares that `mix_weights` learned would mean nothing to them.
    """
    kept = {key: value for key, value in state.items() if key not in ('optimiser', 'mixing')}
    return {**kept, 'network': weights, 'average': weights}
