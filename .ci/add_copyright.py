#!/usr/bin/env python3
"""Put the copyright header that ament_copyright accepts into every Python file that lacks it.

`.ci/add_copyright.py` adds the headers; with `--check` it names the files without one, and the exit
code is 1 if there are any.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
#: The wording is compared word by word by ament_copyright (template apache2_header).
HEADER = """\
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
"""


def without_header() -> list[Path]:
    """Return the tracked Python files that have no header."""
    listed = subprocess.run(
        ['git', 'ls-files', '*.py'], cwd=ROOT, check=True, capture_output=True, text=True
    )
    files = [ROOT / name for name in listed.stdout.splitlines()]
    return [file for file in files if HEADER not in file.read_text(encoding='utf-8')]


def add_header(file: Path) -> None:
    """Put the header behind the line with the interpreter, if there is one."""
    text = file.read_text(encoding='utf-8')
    first, newline, rest = text.partition('\n')
    if not first.startswith('#!'):
        first, newline, rest = '', '', text
    blank = '\n' if rest.strip() else ''
    file.write_text(first + newline + HEADER + blank + rest, encoding='utf-8')


def main() -> int:
    """Add or check the headers; return the exit code."""
    missing = without_header()
    if '--check' in sys.argv[1:]:
        for file in missing:
            print(f'{file.relative_to(ROOT)}: no copyright header; run .ci/add_copyright.py')
        return int(bool(missing))
    for file in missing:
        add_header(file)
    print(f'headers added to {len(missing)} files')
    return 0


if __name__ == '__main__':
    sys.exit(main())
