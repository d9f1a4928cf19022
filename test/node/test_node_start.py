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

"""A failed start logs a clear reason, and neither hangs nor crashes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from diagnostic_msgs.msg import DiagnosticStatus
from node_harness import ROOT, TIMEOUT_S, NodeProcess, Peer
from node_models import miscompiled_model
from ros_domains import next_domain

from cfrnet_ros.vision.detection.detector import default_model

WRONG_PARAMS = """\
/**:
  ros__parameters:
    cycls: 3
    cycles: 12
    threads: two
    diagnostics:
      age_warn: 5
"""
NEXT = '--- the next start ---'
#: Script that starts a node with each command line of a file and prints the exit codes.
STARTS = f"""
import json, os, sys
from cfrnet_ros.node.main import main
codes = []
for arguments in json.load(open(sys.argv[1])):
    os.write(2, b'{NEXT}')
    plain = arguments[0] == 'plain'
    codes.append(main(arguments[1:] if plain else ['--ros-args', *arguments]))
print(json.dumps(codes))
"""


def test_failed_starts_exit_with_code_one_and_log_the_reason(
    tmp_path: Path, halving_model: Path
) -> None:
    (tmp_path / 'garbage.onnx').write_bytes(b'this is no model')
    (tmp_path / 'wrong.yaml').write_text(WRONG_PARAMS)
    (tmp_path / 'broken.yaml').write_text('/**:\n  ros__parameters:\n   cycles: [1, a]\n')
    (tmp_path / 'underscore.yaml').write_text('/**:\n  ros_parameters:\n    cycles: 3\n')
    (tmp_path / 'flat.yaml').write_text('cycles: 3\n')
    (tmp_path / 'tabs.yaml').write_text('/**:\n  ros__parameters:\n\tcycles: 3\n')
    (tmp_path / 'mixed.yaml').write_text('/**:\n  ros__parameters:\n    roi: [0, 0, 0.5, 1]\n')
    (tmp_path / 'empty.yaml').write_text('/**:\n  ros__parameters:\n    roi: []\n')
    model = f'model:={halving_model}'
    # Arguments, and texts that the log must contain.
    cases: list[tuple[list[str], list[str]]] = [
        (['-p', 'model:=/no/such/file.onnx'], ['/no/such/file.onnx', 'auto, fp32, int8']),
        (['-p', f'model:={tmp_path}/garbage.onnx'], ['garbage.onnx', 'cannot load']),
        (['-p', f'model:={default_model()}'], ['restorer that keeps the size']),
        (['-p', model, '-p', f'detector_model:={halving_model}'], ['YuNet']),
        (['-p', model, '-p', 'provider:=warp_drive'], ["'warp_drive'", 'openvino']),
        (
            ['-p', model, '-p', 'provider:=rknpu', '-p', 'strict_provider:=true'],
            ['rknpu'],
        ),
        (
            ['-p', f'model:={miscompiled_model(tmp_path / "miscompiled.onnx")}'],
            ['halving on cpu failed', 'dB at k=3 from the FP32 reference', 'self_test to warn'],
        ),
        (['-p', 'image_transport:=theora'], ["'raw' or 'compressed'", "got 'theora'"]),
        (
            ['--params-file', f'{tmp_path}/wrong.yaml'],
            [
                "no parameter 'cycls'; did you mean 'cycles'",
                'cycles must be integer, 1 to 8; got 12',
                "threads must be integer, 0 to 256; got 'two' (string)",
                "did you mean 'diagnostics.age_warn_ms'",
            ],
        ),
        (['--params-file', f'{tmp_path}/broken.yaml'], ['broken.yaml', 'cannot start']),
        (['--params-file', '/no/such.yaml'], ['/no/such.yaml', 'cannot start']),
        (['-p', 'provider_options:=[]'], ['provider_options is given without', 'cannot start']),
        (
            ['--params-file', f'{tmp_path}/underscore.yaml'],
            ['underscore.yaml: `ros_parameters:` has one underscore; write `ros__parameters:`'],
        ),
        (
            ['--params-file', f'{tmp_path}/flat.yaml'],
            ['flat.yaml, line 1: cycles: 3: no parameter may stand above `ros__parameters:`'],
        ),
        (['--params-file', f'{tmp_path}/tabs.yaml'], ['tabs.yaml, line 2', 'blanks and no tabs']),
        (
            ['--params-file', f'{tmp_path}/mixed.yaml'],
            ['mixed.yaml, line 3: roi: [0, 0, 0.5, 1]: the list mixes types', '[0.0, 0.0, 0.5'],
        ),
        (['-p', 'roi:=[0, 0, 0.5, 1]'], ['-p roi:=[0, 0, 0.5, 1]: the list mixes types']),
        (['image:=/cam'], ['-r or -p is missing before image:=/cam; write -r image:=/cam']),
        (['cycles:=3'], ['write -p cycles:=3']),
        (['-p', 'cycles=3'], ['-p cycles=3: name and value are separated by :=']),
        (['-p', 'cycles:='], ['-p cycles:=: there is no value behind :=']),
        (['--', 'image:=/cam'], ['ROS 2 reads arguments', 'write --ros-args -r image:=/cam']),
        (['plain', '--cycles', '3'], ['write --ros-args -p cycles:=3']),
        (['plain', '--max-faces=1', '--image', '/cam'], ['-p max_faces:=1 -r image:=/cam']),
        (['plain', 'drive.mp4'], ['drive.mp4: ROS 2 reads arguments behind --ros-args only']),
        (
            ['--params-file', f'{tmp_path}/empty.yaml'],
            ['roi is given without a value', 'the default is roi: [0.0, 0.0, 1.0, 1.0]'],
        ),
    ]
    with (tmp_path / 'cases.json').open('w') as file:
        json.dump([arguments for arguments, _ in cases], file)
    # All starts use one process, one after another, since imports take most of a start.
    result = subprocess.run(
        [sys.executable, '-c', STARTS, str(tmp_path / 'cases.json')],
        cwd=tmp_path,
        env={**os.environ, 'ROS_DOMAIN_ID': str(next_domain()), 'PYTHONPATH': str(ROOT)},
        capture_output=True,
        text=True,
        timeout=len(cases) * TIMEOUT_S,
    )
    codes = json.loads(result.stdout)
    logs = result.stderr.split(NEXT)[1:]
    assert 'Traceback' not in result.stderr
    for (arguments, parts), code, log in zip(cases, codes, logs, strict=True):
        assert code == 1, (arguments, log)
        for part in parts:
            assert part in log, (arguments, log)


@pytest.mark.parametrize(
    ('key', 'namespace', 'matches'),
    [
        ('cfrnet', '/', True),
        ('/**', '/cabin', True),
        ('/**/cfrnet', '/', True),
        ('/*/cfrnet', '/cabin', True),
        ('/cabin/cfrnet', '/cabin', True),
        ('cfrnet', '/cabin', False),
        ('cfrnet_node', '/', False),
        ('/other/cfrnet', '/', False),
    ],
)
def test_a_params_file_for_another_node_is_told_with_its_keys(
    tmp_path: Path, halving_model: Path, key: str, namespace: str, matches: bool
) -> None:
    params = tmp_path / 'params.yaml'
    params.write_text(f'{key}:\n  ros__parameters:\n    cycles: 3\n')
    domain = next_domain()
    arguments = ['-p', f'model:={halving_model}', '-r', f'__ns:={namespace}']
    process = NodeProcess(tmp_path / 'node', domain, [*arguments, '--params-file', str(params)])
    name = f'{namespace.rstrip("/")}/cfrnet'
    told = f'{params} has no effect: its parameters are for /{key.strip("/")}, and this node is'
    try:
        process.wait_for_log('active (was inactive)')
        # ROS 2 itself decides which keys match.
        peer = Peer(domain, name)
        try:
            assert peer.get_parameter('cycles') == (3 if matches else 2)
        finally:
            peer.close()
        assert (f'{told} {name}; use' in process.log) is not matches
        assert ('has no effect' in process.log) is not matches
    finally:
        process.kill()


def test_failed_configure_without_autostart_keeps_the_node_running(tmp_path: Path) -> None:
    params = tmp_path / 'wrong.yaml'
    params.write_text(
        WRONG_PARAMS.replace('    cycls: 3\n', '    autostart: false\n    cycls: 3\n')
    )
    domain = next_domain()
    process = NodeProcess(tmp_path / 'node', domain, ['--params-file', str(params)])
    peer = Peer(domain)
    try:
        assert peer.state() == 'unconfigured'
        assert not peer.transition('configure')
        assert peer.state() == 'unconfigured'
        assert peer.get_parameter('cycles') == 2
        status = peer.wait_for_diagnostics(
            lambda d: d['engine'].level == DiagnosticStatus.ERROR, 'an error of the engine'
        )['engine']
        assert "did you mean 'cycles'" in status.message
        assert "did you mean 'cycles'" in process.log
        assert process.end() == 0
        assert 'Traceback' not in process.log
    finally:
        peer.close()
        process.kill()


def test_help_is_printed_without_ros(capfd: pytest.CaptureFixture[str]) -> None:
    from cfrnet_ros.node.main import main

    assert main(['--help']) == 0
    assert 'lifecycle node' in capfd.readouterr().out


def test_exit_code_is_zero_after_shutdown_by_a_lifecycle_manager(tmp_path: Path) -> None:
    domain = next_domain()
    process = NodeProcess(tmp_path / 'node', domain, ['-p', 'autostart:=false'])
    peer = Peer(domain)
    try:
        assert peer.transition('shutdown')
        assert peer.state() == 'finalized'
        assert process.end() == 0
        assert 'Traceback' not in process.log
    finally:
        peer.close()
        process.kill()
