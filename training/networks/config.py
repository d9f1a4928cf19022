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

"""Which layout a network has, and of what size."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

#: Residual layouts first, cheapest of them last; the plain one has no skip of any kind.
LAYOUTS = (
    'encoder_decoder',
    'shallow_encoder_decoder',
    'stride4',
    'space_to_depth',
    'stride8',
    'plain',
)


@dataclass(frozen=True)
class NetworkConfig:
    """Layout of the network.

    Attributes:
        layout: Name of the layout, one of `LAYOUTS`. All but ``encoder_decoder`` have one fixed
            size, of about 2.0 M parameters; the attributes below do not apply to them.
        widths: Channels at strides 1, 2, 4 and 8.
        blocks_s2: Number of residual blocks at stride 2, on either side.
        blocks_s4: Number of residual blocks at stride 4, on either side.
        body_blocks: Number of residual blocks at stride 8.

    Raises:
        ValueError: The layout is unknown, or sizes are given for a layout that has its own.

    """

    widths: tuple[int, int, int, int] = (16, 32, 64, 128)
    blocks_s2: int = 1
    blocks_s4: int = 2
    body_blocks: int = 5
    layout: str = 'encoder_decoder'

    @classmethod
    def read(cls, values: Mapping[str, Any]) -> NetworkConfig:
        """Return what a JSON object says, as checkpoints and model cards hold it."""
        read: dict[str, Any] = {
            k: tuple(v) if isinstance(v, list) else v for k, v in values.items()
        }
        return cls(**read)

    def __post_init__(self) -> None:
        """Reject what no network can be built of."""
        if self.layout not in LAYOUTS:
            raise ValueError(f'unknown layout {self.layout!r}; known are {", ".join(LAYOUTS)}')
        if self.layout == 'encoder_decoder':
            return
        changed = [
            f.name
            for f in fields(self)
            if f.name != 'layout' and getattr(self, f.name) != f.default
        ]
        if changed:
            raise ValueError(
                f'layout {self.layout!r} has a fixed size: leave out {", ".join(changed)}, '
                'which only encoder_decoder takes'
            )
