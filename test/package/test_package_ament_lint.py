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

"""The linters of ament, which a build farm runs; left out where they are not installed."""

from __future__ import annotations

import importlib
import os
import shutil
import socket
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = (*('benchmarks', 'cfrnet_ros', 'demo', 'docs', 'examples', 'launch', 'test', 'training'),)

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec('ament_flake8') is None,
    reason='the linters of ament come with a ROS 2 distribution',
)


def places() -> list[str]:
    return [str(ROOT / name) for name in (*FOLDERS, 'setup.py')]


def test_flake8_finds_nothing_with_our_settings() -> None:
    run = importlib.import_module('ament_flake8.main').main_with_errors
    code, errors = run(argv=['--config', str(ROOT / 'test/ament_flake8.ini'), *places()])
    assert code == 0, '\n'.join(errors)


def test_pep257_finds_nothing_in_the_style_of_google() -> None:
    run = importlib.import_module('ament_pep257.main').main
    shipped = [str(ROOT / name) for name in ('cfrnet_ros', 'launch', 'setup.py')]
    assert run(argv=['--convention', 'google', '--add-ignore', 'D107', '--', *shipped]) == 0


# Folder by folder: for each file, ament_copyright reads the metadata of every installed package.
@pytest.mark.parametrize('place', [*FOLDERS, 'setup.py', 'LICENSE', 'CONTRIBUTING.md'])
def test_every_file_has_a_copyright(place: str) -> None:
    run = importlib.import_module('ament_copyright.main').main
    assert run(argv=[str(ROOT / place)]) == 0, 'run .ci/add_copyright.py'


def test_xmllint_finds_nothing() -> None:
    if shutil.which('xmllint') is None:
        pytest.skip('xmllint is not installed')
    try:
        # The schema of package.xml is read from there, unless a catalogue names a copy.
        if 'XML_CATALOG_FILES' not in os.environ:
            socket.create_connection(('download.ros.org', 80), timeout=5).close()
    except OSError:
        pytest.skip('the schema of package.xml needs a network, or a copy in XML_CATALOG_FILES')
    run = importlib.import_module('ament_xmllint.main').main
    assert run(argv=[str(ROOT / 'package.xml')]) == 0
