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

"""The version is the same everywhere, and the public interface is what the declaration says."""

from __future__ import annotations

import ast
import datetime
import importlib
import re
import subprocess
import sys
from itertools import pairwise
from pathlib import Path
from xml.etree import ElementTree

import pytest
from packaging.version import Version

ROOT = Path(__file__).resolve().parents[2]
VERSION = ElementTree.parse(ROOT / 'package.xml').getroot().findtext('version') or ''
DECLARATION = (ROOT / 'QUALITY_DECLARATION.md').read_text(encoding='utf-8')
#: The table of what is public.
PUBLIC = DECLARATION.partition('| what |')[2].partition('\n\n')[0]


def sections() -> list[tuple[str, str, str]]:
    """Return version, date and underline of each section of the changelog, the newest first."""
    text = (ROOT / 'CHANGELOG.rst').read_text(encoding='utf-8')
    return re.findall(r'^(\d+\.\d+\.\d+) \((\d{4}-\d\d-\d\d)\)\n(-+)$', text, re.M)


def setup_says(what: str) -> str:
    done = subprocess.run(
        [sys.executable, 'setup.py', '--quiet', f'--{what}'],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.strip().splitlines()[-1]


def test_setup_py_and_changelog_have_the_version_of_package_xml() -> None:
    assert setup_says('version') == VERSION
    assert sections()[0][0] == VERSION


def test_the_sections_of_the_changelog_are_as_bloom_reads_them() -> None:
    found = sections()
    for version, date, underline in found:
        datetime.date.fromisoformat(date)
        assert len(underline) == len(f'{version} ({date})')
    for (newer, date, _), (older, before, _) in pairwise(found):
        assert Version(newer) > Version(older)
        assert date >= before


def test_catkin_pkg_reads_the_changelog() -> None:
    reader = pytest.importorskip('catkin_pkg.changelog', reason='catkin_pkg comes with bloom')
    changelog = reader.get_changelog_from_path(str(ROOT / 'CHANGELOG.rst'), 'cfrnet_ros')
    versions = {version for version, _, _ in changelog.foreach_version()}
    assert versions == {version for version, _, _ in sections()}
    assert all(content for _, _, content in changelog.foreach_version())


def test_the_declaration_and_the_readme_name_the_version() -> None:
    assert f'stable version | yes: semantic versioning, {VERSION} |' in DECLARATION
    assert f'Version {VERSION}:' in (ROOT / 'README.md').read_text(encoding='utf-8')


def test_every_command_is_declared_public() -> None:
    text = (ROOT / 'setup.py').read_text(encoding='utf-8')
    commands = set(re.findall(r"'([\w-]+) = cfrnet_ros\.", text))
    # The name before of cfrnet-replay.
    assert commands - {'cfrnet_replay'} == set(re.findall(r'`(restorer|cfrnet-\w+)`', PUBLIC))


def test_the_examples_import_the_public_modules_and_no_others() -> None:
    public = set(re.findall(r'`(cfrnet_ros\.[\w.]+)`', PUBLIC))
    imported = {
        node.module
        for path in (ROOT / 'examples').rglob('*.py')
        for node in ast.walk(ast.parse(path.read_text(encoding='utf-8')))
        if isinstance(node, ast.ImportFrom) and (node.module or '').startswith('cfrnet_ros')
    }
    assert imported == public


def test_every_public_module_can_be_imported() -> None:
    for name in re.findall(r'`(cfrnet_ros\.[\w.]+)`', PUBLIC):
        assert importlib.import_module(name).__doc__
