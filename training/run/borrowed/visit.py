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

"""What training on a borrowed machine needs: an end when it is asked to, folders left whole."""

from __future__ import annotations

import shutil
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path


def watch_for_the_end() -> Callable[[], bool]:
    """Return a function that tells whether the machine has asked to stop (SIGTERM, SIGINT)."""
    stopped = False

    def stop(_number: int, _frame: object) -> None:
        nonlocal stopped
        stopped = True

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop)
    return lambda: stopped


@contextmanager
def replaced(out: Path) -> Iterator[Path]:
    """Yield an empty folder that takes the place of another once the block has filled it.

    A kill leaves what was there before, or both; a block that raises leaves what was there.

    Args:
        out: Folder to be made, or to be replaced.

    """
    partial, old = (out.with_name(out.name + end) for end in ('.partial', '.old'))
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    yield partial
    shutil.rmtree(old, ignore_errors=True)
    if out.exists():
        out.rename(old)
    partial.rename(out)
    shutil.rmtree(old, ignore_errors=True)


def print_files(folder: Path) -> None:
    """Print the files of a folder with their sizes, a line each."""
    for path in sorted(folder.iterdir()):
        print(f'  {path}: {path.stat().st_size / 1e6:.1f} MB')
