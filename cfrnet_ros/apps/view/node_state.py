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

"""What the diagnostics of a restorer tell."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

#: Parts of a restorer, by the ends of the names of its statuses.
PARTS = ('input', 'restoration', 'engine')
#: A key that only the restorer's engine has: other nodes may have a status of the same name.
_OWN_KEY = 'provider/requested'
#: Time in seconds without diagnostics, which come once a second, after which a node counts as lost.
LOST_AFTER_S = 3.5


@dataclass(frozen=True)
class Status:
    """A status of the diagnostics: level 0 (OK) to 3 (stale), its message and its values."""

    level: int
    message: str
    values: Mapping[str, str]


@dataclass(frozen=True)
class NodeState:
    """The newest diagnostics of a node.

    Attributes:
        statuses: Statuses by part.
        number: Number of the diagnostics, counted from 1.
        seen_s: Time of their arrival in seconds, of asyncio's clock.

    """

    statuses: Mapping[str, Status]
    number: int
    seen_s: float

    @property
    def level(self) -> int:
        """Most serious level of the parts."""
        return max(status.level for status in self.statuses.values())

    @property
    def camera(self) -> tuple[str, bool]:
        """Topic of the camera's images, and whether they are compressed."""
        values = self.statuses['input'].values
        return values.get('topic', ''), values.get('transport') == 'compressed'

    def lost(self, now_s: float) -> bool:
        """Return whether the node is silent for longer than `LOST_AFTER_S`."""
        return now_s - self.seen_s > LOST_AFTER_S


def read_diagnostics(message: Any) -> dict[str, dict[str, Status]]:
    """Read the statuses of restorers from a diagnostic_msgs/DiagnosticArray.

    Returns:
        Statuses by full name of the node and by part; those of other nodes are left out.

    """
    found: dict[str, dict[str, Status]] = {}
    for status in message.status:
        name, _, part = status.name.rpartition(': ')
        if name and part in PARTS:
            level = status.level
            found.setdefault(f'/{name}', {})[part] = Status(
                level=level[0] if isinstance(level, bytes) else int(level),
                message=status.message,
                values={pair.key: pair.value for pair in status.values},
            )
    return {
        name: parts
        for name, parts in found.items()
        if len(parts) == len(PARTS) and _OWN_KEY in parts['engine'].values
    }
