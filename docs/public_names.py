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

"""Check that a built site describes every public function and class: `make docs` runs this.

`python docs/public_names.py SITE` names what objects.inv of the site lacks, and then the exit code
is 1.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

from sphinx.util.inventory import InventoryFile

ROOT = Path(__file__).resolve().parents[1]


def public_names(body: list[ast.stmt], prefix: str) -> Iterator[str]:
    """Yield the full names of the public functions, classes and methods of a module or class.

    Args:
        body: Statements of the module or class.
        prefix: Full name of the module or class.

    """
    for node in body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            if node.name.startswith('_'):
                continue
            yield f'{prefix}.{node.name}'
            if isinstance(node, ast.ClassDef):
                yield from public_names(node.body, f'{prefix}.{node.name}')


def module_name(path: Path) -> str:
    """Return the full name of a module by its path."""
    parts = path.relative_to(ROOT).with_suffix('').parts
    return '.'.join(part for part in parts if part != '__init__')


def main() -> int:
    """Compare, print what is missing, and return the exit code."""
    site = Path(sys.argv[1])
    inventory = InventoryFile.loads((site / 'objects.inv').read_bytes(), uri='').data
    described = {
        name for kind, names in inventory.items() if kind.startswith('py:') for name in names
    }
    wanted = set()
    for path in (ROOT / 'cfrnet_ros').rglob('*.py'):
        if not path.stem.startswith('_') or path.stem == '__init__':
            tree = ast.parse(path.read_text(encoding='utf-8'))
            wanted.update(public_names(tree.body, module_name(path)))
    for name in sorted(wanted - described):
        print(f'not on the site: {name}', file=sys.stderr)
    print(f'{len(wanted)} public functions, classes and methods')
    return int(not wanted or not wanted <= described)


if __name__ == '__main__':
    sys.exit(main())
