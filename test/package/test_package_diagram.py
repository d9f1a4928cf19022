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

"""The diagram of rooms in docs/design.md shows what the rooms import."""

from __future__ import annotations

import re
from functools import cache

from rooms import PAGE, ROOMS, ROOT, Room, leaving, path_of, room_of

#: Folders whose rooms have a frame of their own in the diagram.
FRAMES = ('cfrnet_ros/vision', 'cfrnet_ros/node', 'cfrnet_ros/apps')


@cache
def imported_by(room: Room) -> frozenset[Room]:
    """Rooms from which a room's files import something."""
    paths = (path_of(found.module) for found in leaving(room))
    return frozenset(other for path in paths if path and (other := room_of(path)) and other != room)


@cache
def reached(room: Room) -> frozenset[Room]:
    """Rooms that a room imports, directly or through others."""
    direct = imported_by(room)
    return direct.union(*(reached(other) for other in direct))


def arrows() -> list[tuple[Room, Room]]:
    """Imports between rooms, without those that follow from others."""
    found = []
    for room in ROOMS:
        direct = imported_by(room)
        implied = frozenset().union(*(reached(other) for other in direct))
        found += [(room, other) for other in ROOMS if other in direct - implied]
    return found


def name(room: Room) -> str:
    """Identifier in the diagram, such as `vision_engine`; of one file, without its suffix."""
    parts = [part.removesuffix('.py') for part in room.paths[0].parts]
    return '_'.join(parts[1:] if parts[0] == 'cfrnet_ros' else parts)


def label(room: Room) -> str:
    """Last part of the room's path; of several files, the first and an ellipsis."""
    first, *more = room.paths
    return first.name + (', ...' if more else '')


def diagram() -> str:
    """Mermaid's text of the diagram."""
    lines = ['```mermaid', 'flowchart BT']
    framed = {
        room: frame for room in ROOMS for frame in FRAMES if room.paths[0].is_relative_to(frame)
    }
    for frame in FRAMES:
        lines.append(f'    subgraph in_{frame.rpartition("/")[2]} [{frame}]')
        lines += [f'        {name(r)}["{label(r)}"]' for r, f in framed.items() if f == frame]
        lines.append('    end')
    lines += [f'    {name(r)}["{label(r)}"]' for r in ROOMS if r not in framed]
    lines += [f'    {name(room)} --> {name(other)}' for room, other in arrows()]
    return '\n'.join([*lines, '```'])


def test_the_diagram_of_rooms_shows_the_imports() -> None:
    text = (ROOT / PAGE).read_text(encoding='utf-8')
    blocks = re.findall(r'^```mermaid\nflowchart BT\n.*?^```', text, re.MULTILINE | re.DOTALL)
    assert len(arrows()) > len(ROOMS) / 2
    assert blocks == [diagram()], f'put this diagram into {PAGE}:\n{diagram()}'
