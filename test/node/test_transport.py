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

"""Large images of a camera driver with default settings arrive; losses are told."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from camera import camera, plain_environment
from diagnostic_msgs.msg import DiagnosticStatus
from node_harness import ROOT, NodeProcess, Peer, values_of, wait_until
from ros_domains import next_domain

from cfrnet_ros.node import transport

FAST_DDS = 'rmw_fastrtps_cpp'
large_buffer = pytest.mark.skipif(
    (transport.receive_limit() or 0) < transport.ENOUGH_BYTES,
    reason='net.core.rmem_max is too small for best-effort images of 1920x1080',
)


def readme_command() -> str:
    """Return the line of README.md that starts the node after an installation by pip."""
    text = (ROOT / 'README.md').read_text(encoding='utf-8')
    section = text.partition('### With pip')[2].partition('\n## ')[0]
    block = re.findall(r'```\n(.*?)```', section, re.DOTALL)[0]
    # Nothing else has to be set, in this terminal or in the camera driver's.
    assert 'export' not in block
    commands = [line for line in block.splitlines() if line.startswith('restorer')]
    assert len(commands) == 1
    return str(commands[0])


@large_buffer
def test_the_command_of_the_readme_receives_the_images_of_a_1080p_camera(tmp_path: Path) -> None:
    domain = next_domain()
    command = tmp_path / 'bin/restorer'
    command.parent.mkdir()
    command.write_text(f'#!/bin/sh\nexec {sys.executable} -m cfrnet_ros.node.main "$@"\n')
    command.chmod(0o755)
    environment = plain_environment(domain)
    environment |= {
        'PATH': f'{command.parent}{os.pathsep}{os.environ["PATH"]}',
        'PYTHONPATH': str(ROOT),
    }
    log = tmp_path / 'log'
    with camera(domain, '/camera/image_raw'), log.open('w') as stream:
        node = subprocess.Popen(
            f'exec {readme_command()}',
            shell=True,
            cwd=tmp_path,
            env=environment,
            stderr=stream,
        )
        peer = Peer(domain)
        try:
            wait_until(lambda: 'first image: 1920x1080 bgr8' in log.read_text(), 'images')

            def input_values() -> dict[str, str]:
                found = peer.wait_for_diagnostics(lambda d: 'input' in d, 'input')
                return values_of(found['input'])

            before = input_values()
            wait_until(
                lambda: (
                    int(input_values()['frames/received']) >= 20 + int(before['frames/received'])
                ),
                '20 more images',
            )
            after = input_values()
            lost = int(after['frames/lost']) - int(before['frames/lost'])
            assert lost <= 0.1 * (int(after['frames/received']) - int(before['frames/received']))
            told = [line for line in log.read_text().splitlines() if 'transport:' in line]
            assert len(told) == 1
            assert 'the camera needs no settings' in told[0]
        finally:
            node.send_signal(signal.SIGINT)
            node.wait(60)
            peer.close()


def node_with_small_buffer(folder: Path, domain: int, model: Path) -> NodeProcess:
    """Start a node whose receive buffer is that of many older kernels."""
    text, changed = re.subn(
        r'(?<=<receiveBufferSize>)\d+', '212992', transport.NODE_PROFILE.read_text()
    )
    assert changed == 1
    profile = folder / 'small.xml'
    profile.write_text(text)
    arguments = ['-r', 'image:=/image', '-p', f'model:={model}']
    return NodeProcess(
        folder / 'node', domain, arguments, {'FASTDDS_DEFAULT_PROFILES_FILE': str(profile)}
    )


def test_lost_images_are_counted_and_warned_of_with_transport_and_remedy(
    tmp_path: Path, halving_model: Path
) -> None:
    domain = next_domain()
    process = node_with_small_buffer(tmp_path, domain, halving_model)
    peer = Peer(domain)
    told = re.compile(
        rf'\d+ of \d+ images in the last \d+ s were lost on the way by Fast DDS with the profiles'
        rf' of {tmp_path}/small.xml: enlarge receiveBufferSize of UDP'
    )
    try:
        with camera(domain, '/image'):
            found = peer.wait_for_diagnostics(
                lambda d: told.search(d['input'].message), 'lost images'
            )
        assert found['input'].level >= DiagnosticStatus.WARN
        assert int(values_of(found['input'])['frames/lost']) > 0
        assert told.search(process.log)
        assert process.end() == 0
    finally:
        peer.close()
        process.kill()


def test_images_that_get_lost_are_asked_for_again_if_the_camera_offers_that(
    tmp_path: Path, halving_model: Path
) -> None:
    domain = next_domain()
    process = node_with_small_buffer(tmp_path, domain, halving_model)
    peer = Peer(domain)
    try:
        with camera(domain, '/image', reliability='reliable'):
            process.wait_for_log('offers reliable delivery, for which the node asks from now on')

            def received() -> int:
                found = peer.wait_for_diagnostics(lambda d: 'input' in d, 'input')
                return int(values_of(found['input'])['frames/received'])

            before = received()
            wait_until(lambda: received() >= before + 20, '20 more images')
        # A camera that offers best effort only is not lost for that.
        with camera(domain, '/image', size=(64, 64)):
            before = received()
            wait_until(lambda: received() >= before + 5, 'images of a best-effort camera')
        assert process.end() == 0
    finally:
        peer.close()
        process.kill()


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> pytest.MonkeyPatch:
    """Nothing set for Fast DDS, in an empty working directory."""
    for name in [*os.environ]:
        if name.startswith(('FASTDDS_', 'FASTRTPS_')):
            monkeypatch.delenv(name)
    monkeypatch.setenv('RMW_IMPLEMENTATION', FAST_DDS)
    monkeypatch.chdir(tmp_path)
    return monkeypatch


def limit(environment: pytest.MonkeyPatch, folder: Path, number_of_bytes: int) -> None:
    (folder / 'rmem_max').write_text(f'{number_of_bytes}\n')
    environment.setattr(transport, '_LIMIT_FILE', folder / 'rmem_max')


def test_the_transport_of_the_node_needs_nothing_of_the_camera(
    environment: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    limit(environment, tmp_path, 4 << 20)
    environment.delenv('ROS_DISTRO', raising=False)
    transport.choose_profile(transport.NODE_PROFILE)
    assert os.environ['FASTDDS_DEFAULT_PROFILES_FILE'] == str(transport.NODE_PROFILE)
    assert 'FASTRTPS_DEFAULT_PROFILES_FILE' not in os.environ
    told = transport.describe(FAST_DDS)
    assert 'UDP with a 4 MiB receive buffer; the camera needs no settings' in str(told)
    assert not told.too_small
    limit(environment, tmp_path, 212992)
    told = transport.describe(FAST_DDS)
    assert 'this machine: sudo sysctl -w net.core.rmem_max=33554432' in str(told)
    assert told.too_small


@pytest.mark.parametrize(
    ('variables', 'needs'),
    [
        ({'FASTDDS_BUILTIN_TRANSPORTS': 'LARGE_DATA'}, 'the camera needs the same'),
        ({'FASTDDS_BUILTIN_TRANSPORTS': 'UDPv4'}, 'the camera needs FASTDDS_BUILTIN_TRANSPORTS='),
        ({'FASTDDS_DEFAULT_PROFILES_FILE': '/my.xml'}, 'profiles of /my.xml; the camera needs'),
        ({'FASTRTPS_DEFAULT_PROFILES_FILE': '/my.xml'}, 'profiles of /my.xml; the camera needs'),
        ({'RMW_IMPLEMENTATION': 'rmw_zenoh_cpp'}, 'the camera needs the same RMW_IMPLEMENTATION'),
    ],
    ids=str,
)
def test_what_the_user_has_chosen_stays(
    environment: pytest.MonkeyPatch, variables: dict[str, str], needs: str
) -> None:
    for name, value in variables.items():
        environment.setenv(name, value)
    before = dict(os.environ)
    transport.choose_profile(transport.NODE_PROFILE)
    assert dict(os.environ) == before
    assert needs in str(transport.describe(os.environ['RMW_IMPLEMENTATION']))


def test_a_file_of_profiles_in_the_working_directory_stays(
    environment: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / 'DEFAULT_FASTDDS_PROFILES.xml').touch()
    transport.choose_profile(transport.NODE_PROFILE)
    assert 'FASTDDS_DEFAULT_PROFILES_FILE' not in os.environ
    assert 'DEFAULT_FASTDDS_PROFILES.xml' in transport.describe(FAST_DDS).name


def test_a_node_that_a_replay_starts_keeps_the_profile_of_the_replay(
    environment: pytest.MonkeyPatch,
) -> None:
    transport.choose_profile(transport.BOTH_SIDES_PROFILE)
    transport.choose_profile(transport.NODE_PROFILE)
    assert os.environ['FASTDDS_DEFAULT_PROFILES_FILE'] == str(transport.BOTH_SIDES_PROFILE)
    assert 'large shared memory' in transport.describe(FAST_DDS).name
