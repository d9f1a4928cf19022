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

"""README.md and docs/: links resolve, and the pages name everything that the node publishes."""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted(
    [
        *ROOT.glob('*.md'),
        *(ROOT / 'docs').glob('*.md'),
        ROOT / 'examples/README.md',
        ROOT / 'training/README.md',
        ROOT / 'cfrnet_ros/models/README.md',
    ]
)
LINK = re.compile(r'\]\(([^)\s]+)\)')
#: Blocks and spans of code, whose brackets are not links.
CODE = re.compile(r'^```.*?^```|`[^`\n]*`', re.MULTILINE | re.DOTALL)


def links(page: Path) -> Iterator[str]:
    """Yield the targets of a page's links and images, without those on other hosts."""
    text = CODE.sub('', page.read_text(encoding='utf-8'))
    for target in LINK.findall(text):
        if not re.match(r'[a-z]+:', target):
            yield target


def anchors(page: Path) -> set[str]:
    """Return a page's anchors as GitHub makes them: lower case, hyphens for spaces."""
    text = re.sub(r'^```.*?^```', '', page.read_text(encoding='utf-8'), flags=re.M | re.S)
    headings = re.findall(r'^#+ (.+)$', text, re.M)
    return {re.sub(r'[^\w\- ]', '', heading.lower()).replace(' ', '-') for heading in headings}


@pytest.mark.parametrize('page', PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_relative_link_resolves(page: Path) -> None:
    for link in links(page):
        path, _, anchor = link.partition('#')
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), f'{link}: there is no {path}'
        assert target.is_relative_to(ROOT), f'{link} leaves the repository'
        if anchor:
            assert anchor in anchors(target), f'{link}: no such heading in {target.name}'


def test_the_index_links_to_every_page_of_docs() -> None:
    linked = {link.partition('#')[0] for link in links(ROOT / 'docs/README.md')}
    assert {page.name for page in PAGES if page.parent.name == 'docs'} - {'README.md'} <= linked


def test_the_site_has_every_page_of_docs_in_its_contents() -> None:
    # A page that is missing there is a warning of Sphinx, with which `make docs` fails.
    entries = (ROOT / 'docs/index.rst').read_text(encoding='utf-8')
    listed = set(re.findall(r'^   (?:.*<)?([\w/-]+)>?$', entries, re.M))
    assert {path.stem for path in (ROOT / 'docs').glob('*.md')} <= listed


def test_the_site_is_built_without_what_the_package_imports() -> None:
    # docs.ros.org has none of it, and each import that fails is a warning.
    conf = ast.parse((ROOT / 'docs/conf.py').read_text(encoding='utf-8'))
    mocked = next(
        {leaf.value for leaf in ast.walk(node.value) if isinstance(leaf, ast.Constant)}
        for node in conf.body
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == 'autodoc_mock_imports'
    )
    imported = {
        name.partition('.')[0]
        for path in (ROOT / 'cfrnet_ros').rglob('*.py')
        for name in re.findall(r'^(?:from|import) ([\w.]+)', path.read_text(encoding='utf-8'), re.M)
    }
    # NumPy and PyYAML are installed for the build.
    present = {'cfrnet_ros', 'numpy', 'yaml', '__future__', *sys.stdlib_module_names}
    assert {'cv2', 'rclpy', 'onnxruntime', 'aiohttp'} <= imported
    assert not imported - present - mocked


def test_every_topic_of_the_node_is_described() -> None:
    source = ''.join(
        path.read_text(encoding='utf-8') for path in (ROOT / 'cfrnet_ros/node').rglob('*.py')
    )
    topics = set(re.findall(r"'(~/[a-z_/]+)'", source))
    assert {'~/face/image', '~/image_restored', '~/frame/status'} <= topics
    described = (ROOT / 'docs/topics.md').read_text(encoding='utf-8')
    assert not {topic for topic in topics if f'| `{topic}` |' not in described}


def test_every_key_of_the_diagnostics_is_described() -> None:
    source = ''.join(
        (ROOT / f'cfrnet_ros/node/{name}.py').read_text(encoding='utf-8')
        for name in ('diagnostics', 'engine_status')
    )
    keys = set(re.findall(r"'([a-z_]+/[a-z0-9_]+)':", source))
    assert {'rate/input_hz', 'faces/restored', 'provider/used', 'self_test/verdict'} <= keys
    described = (ROOT / 'docs/diagnostics.md').read_text(encoding='utf-8')
    assert not {key for key in keys if f'`{key}`' not in described}


def test_every_test_that_the_page_on_reliability_names_exists() -> None:
    named = re.findall(
        r'`(test/[\w/]+\.py)::(test_\w+)`',
        (ROOT / 'docs/reliability.md').read_text(encoding='utf-8'),
    )
    assert len(named) > 20
    missing = {
        f'{file}::{test}'
        for file, test in named
        if not (ROOT / file).exists() or f'def {test}(' not in (ROOT / file).read_text()
    }
    assert not missing
