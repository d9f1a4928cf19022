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

"""Rooms of the repository: the table in docs/design.md, and what the files of each room import."""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGE = 'docs/design.md'
#: Folders with code. Tests may import everything.
FOLDERS = sorted(
    {'launch', *(path.parent.name for path in ROOT.glob('*/__init__.py'))} - {'build', 'test'}
)


@dataclass(frozen=True)
class Room:
    """A row of the table.

    Attributes:
        paths: Folder, or files of one, from the root of the repository.
        own: Modules of the repository that may be imported, without a leading 'cfrnet_ros.'. A
            package stands for all that lies in it.
        other: Patterns of the names of other packages that may be imported.

    """

    paths: tuple[Path, ...]
    own: tuple[str, ...]
    other: tuple[str, ...]

    def __str__(self) -> str:
        return str(self.paths[0])


@dataclass(frozen=True)
class Import:
    """An import of a module of the repository or of another package.

    Attributes:
        file: Path of the importing file from the root of the repository.
        module: Name of the module, as precise as the import tells.

    """

    file: Path
    module: str

    def __str__(self) -> str:
        return f'{self.module} in {self.file}'


def rooms_of(page: str) -> list[Room]:
    """Read the table under the heading 'Rooms'."""
    section = page.partition('\n## Rooms\n')[2].partition('\n## ')[0]
    rows = [line.strip('|').split('|') for line in section.splitlines() if line.startswith('| `')]
    rooms = []
    for room, _, own, other in rows:
        first, *more = (Path(name) for name in spans(room))
        paths = (first, *(first.parent / file for file in more))
        rooms.append(Room(paths, spans(own), spans(other)))
    return rooms


def spans(cell: str) -> tuple[str, ...]:
    return tuple(re.findall(r'`([^`]+)`', cell))


ROOMS = rooms_of((ROOT / PAGE).read_text(encoding='utf-8'))


@cache
def room_of(path: Path) -> Room | None:
    """Find the room of a file or folder: that whose path is the longest."""
    for place in (path, *path.parents):
        for room in ROOMS:
            if place in room.paths:
                return room
    return None


def imports_of(file: Path) -> Iterator[str]:
    """Names of all modules that a file imports, within functions too."""
    for node in ast.walk(ast.parse((ROOT / file).read_text(encoding='utf-8'))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f'{file} has a relative import, which is not looked at here'
            for alias in node.names:
                name = f'{node.module}.{alias.name}'
                yield name if path_of(name) else str(node.module)


@cache
def path_of(module: str) -> Path | None:
    """Find the file or folder of a module of the repository; None for other packages."""
    path = Path(*module.split('.'))
    if (ROOT / path.with_suffix('.py')).is_file():
        return path.with_suffix('.py')
    # The folder `launch` is no package: the one of that name is ROS's.
    return path if (ROOT / path / '__init__.py').is_file() else None


@cache
def all_imports() -> tuple[Import, ...]:
    """All imports, those of the standard library left out."""
    files = [path for folder in FOLDERS for path in sorted((ROOT / folder).rglob('*.py'))]
    return tuple(
        Import(file, module)
        for file in (path.relative_to(ROOT) for path in files)
        for module in imports_of(file)
        if module.partition('.')[0] not in sys.stdlib_module_names
    )


@cache
def leaving(room: Room) -> tuple[Import, ...]:
    """Imports of a room's files from other rooms and from other packages."""
    return tuple(
        found
        for found in all_imports()
        if room_of(found.file) == room
        and found.module != 'cfrnet_ros'
        and ((path := path_of(found.module)) is None or room_of(path) != room)
    )
