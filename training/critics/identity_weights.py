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

"""How much each network that judges identity weighs in a config.

Imports no network, so that a config is read without PyTorch; `identity_networks` has them.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

#: Names of the critics in `LossWeights.identity_critics`.
NAMES = ('mobilefacenet', 'dlib')

#: Critics in the order of `identity_shares`, the key by which configs once weighed them.
_BY_SHARE = ('mobilefacenet', 'dlib')


def check_critics(critics: Mapping[str, float], identity: float) -> None:
    """Refuse weights of critics that mean nothing.

    Args:
        critics: Weight of each critic by its name.
        identity: Weight of the whole term.

    Raises:
        ValueError: A name is not in `NAMES`, a weight is no number or below 0, or the term is on
            without any critic that weighs more than 0.

    """
    if not isinstance(critics, Mapping):
        raise ValueError(
            f'identity_critics maps names to weights, for instance {{dlib: 1.0}}; got {critics!r}'
        )
    unknown = sorted(str(name) for name in critics if name not in NAMES)
    if unknown:
        raise ValueError(
            f'identity_critics: unknown critic(s) {", ".join(unknown)}; known are '
            f'{", ".join(NAMES)}'
        )
    for name, weight in critics.items():
        if not isinstance(weight, int | float) or not 0 <= weight < math.inf:
            raise ValueError(
                f'identity_critics: {name} weighs {weight!r}; give a number of 0 or more, 0 to '
                'leave the network out'
            )
    if critics and not used_critics(critics):
        raise ValueError(
            'identity_critics: the weights add up to 0; give one of them more, or set identity '
            'to 0 and leave identity_critics out'
        )
    if identity > 0 and not critics:
        raise ValueError(
            f'identity weighs {identity:g}, but identity_critics is empty; name at least one of '
            f'{", ".join(NAMES)}, or set identity to 0'
        )


def used_critics(critics: Mapping[str, float]) -> list[str]:
    """Return the names of the critics that weigh more than 0: those that have to be loaded."""
    return [name for name, weight in critics.items() if weight > 0]


def name_critics(loss: Mapping[str, Any]) -> dict[str, Any]:
    """Return a config's section `loss` with `identity_shares` turned into `identity_critics`.

    Configs, checkpoints and model cards up to step 33,100 of the shipped run weigh the critics by
    their places in a list: MobileFaceNet's weight first, that of dlib's descriptor second. Lists
    that begin with 0 mean dlib's descriptor alone here, as was documented; trainers of that time
    left the whole term out.

    Args:
        loss: Section `loss` of a config, as YAML or JSON hold it.

    Raises:
        ValueError: Both keys are there, or the list has another length than 1 or 2.

    """
    named = dict(loss)
    if 'identity_shares' not in named:
        return named
    shares = named.pop('identity_shares')
    if 'identity_critics' in named:
        raise ValueError('identity_shares and identity_critics say the same; keep the latter')
    if (
        not isinstance(shares, Sequence)
        or isinstance(shares, str)
        or not 1 <= len(shares) <= len(_BY_SHARE)
    ):
        raise ValueError(
            'identity_shares is a list of one or two weights, of MobileFaceNet and of '
            f"dlib's descriptor; got {shares!r}. identity_critics takes its place"
        )
    named['identity_critics'] = {
        name: share for name, share in zip(_BY_SHARE, shares, strict=False) if share
    }
    return named
