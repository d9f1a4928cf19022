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

"""The table of rooms in docs/design.md tells what each room imports, and imports go one way."""

from __future__ import annotations

from fnmatch import fnmatch
from pathlib import Path

import pytest
from rooms import PAGE, ROOMS, ROOT, Room, all_imports, leaving, path_of, room_of

ROS = ('rclpy', 'launch', 'launch_ros', 'cv_bridge', 'ament_index_python', '*_msgs', '*_interfaces')


def covers(entry: str, module: str) -> bool:
    return f'{module.removeprefix("cfrnet_ros.")}.'.startswith(f'{entry}.')


def test_every_file_that_imports_something_is_in_a_room() -> None:
    assert len(all_imports()) > 1000
    homeless = {str(found.file) for found in all_imports() if room_of(found.file) is None}
    assert not homeless, f'add them to the table of {PAGE}'
    missing = [str(path) for room in ROOMS for path in room.paths if not (ROOT / path).exists()]
    assert not missing, f'they are in the table of {PAGE}'


@pytest.mark.parametrize('room', ROOMS, ids=str)
def test_a_room_imports_what_its_row_says(room: Room) -> None:
    own = [found for found in leaving(room) if path_of(found.module)]
    other = [found for found in leaving(room) if not path_of(found.module)]
    names = {found.module.partition('.')[0] for found in other}
    unknown = [str(i) for i in own if not any(covers(entry, i.module) for entry in room.own)]
    unknown += [name for name in names if not any(fnmatch(name, entry) for entry in room.other)]
    assert not unknown, f'{PAGE} does not allow it'
    unused = [entry for entry in room.own if not any(covers(entry, i.module) for i in own)]
    unused += [entry for entry in room.other if not any(fnmatch(name, entry) for name in names)]
    assert not unused, f'{PAGE} allows what is not imported'


@pytest.mark.parametrize('room', ROOMS, ids=str)
def test_a_room_imports_rooms_of_earlier_rows_only(room: Room) -> None:
    earlier = ROOMS[: ROOMS.index(room)]
    for found in leaving(room):
        path = path_of(found.module)
        assert path is None or room_of(path) in earlier, str(found)


def test_vision_knows_nothing_of_ros() -> None:
    wings = [room for room in ROOMS if Path('cfrnet_ros/vision') in room.paths[0].parents]
    assert len(wings) > 5
    for room in (*wings, room_of(Path('cfrnet_ros/vision'))):
        assert room is not None
        assert not [name for name in room.other if any(fnmatch(name, ros) for ros in ROS)], room
