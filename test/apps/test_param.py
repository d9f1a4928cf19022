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

"""`cfrnet-param` reads and sets the parameters of a running node."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from node_harness import NodeProcess
from rcl_interfaces.msg import ParameterType
from rclpy.parameter import parameter_value_to_python
from ros_domains import next_domain

from cfrnet_ros.apps.param.main import LARGE_DATA, TRANSPORTS
from cfrnet_ros.apps.param.values import parse_value, value_text

ROOT = Path(__file__).resolve().parents[2]


class Shell:
    """Runs the command in the domain of the node."""

    def __init__(self, domain: int) -> None:
        self.environment = {**os.environ, 'ROS_DOMAIN_ID': str(domain), TRANSPORTS: LARGE_DATA}

    def __call__(self, *arguments: str) -> tuple[int, str, str]:
        done = subprocess.run(
            [sys.executable, '-m', 'cfrnet_ros.apps.param.main', *arguments],
            env=self.environment, cwd=ROOT, capture_output=True, text=True, timeout=120,
        )  # fmt: skip
        assert 'Traceback' not in done.stderr
        return done.returncode, done.stdout.strip(), done.stderr.strip()


@pytest.fixture(scope='module')
def domain(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    domain = next_domain()
    # Its parameters exist before it is configured, so no model needs to be loaded.
    node = NodeProcess(tmp_path_factory.mktemp('node'), domain, ['-p', 'autostart:=false'])
    yield domain
    node.kill()


@pytest.fixture
def shell(domain: int) -> Shell:
    return Shell(domain)


def test_a_value_is_set_and_read(shell: Shell) -> None:
    assert shell('--timeout', '30', 'get', '/cfrnet', 'cycles') == (0, '2', '')
    assert shell('set', '/cfrnet', 'cycles', '3') == (0, 'cycles: 3', '')
    # A slash is not needed, and a double may be typed without a point.
    assert shell('set', 'cfrnet', 'strength', '1') == (0, 'strength: 1.0', '')
    assert shell('set', 'cfrnet', 'roi', '[0.1, 0, 0.9, 1]')[:2] == (0, 'roi: [0.1, 0.0, 0.9, 1.0]')
    assert shell('get', 'cfrnet', 'roi')[1] == '[0.1, 0.0, 0.9, 1.0]'


def test_nodes_and_parameters_are_listed(shell: Shell) -> None:
    code, nodes, _ = shell('list')
    assert (code, nodes) == (0, '/cfrnet')
    code, parameters, _ = shell('list', '/cfrnet')
    assert code == 0
    assert 'provider: auto' in parameters.splitlines()
    assert 'diagnostics.age_warn_ms: 300.0' in parameters.splitlines()


def test_type_range_and_meaning_are_described(shell: Shell) -> None:
    code, text, _ = shell('describe', '/cfrnet', 'cycles', 'strength', 'model')
    assert code == 0
    lines = text.splitlines()
    assert lines[:2] == ['cycles', '  type: integer']
    assert '  range: 1 to 8 in steps of 1' in lines
    assert '  range: 0 to 1' in lines
    assert '  read-only: true (set it when the node starts)' in lines
    assert any(line.startswith('  description: Number of times') for line in lines)
    assert shell('describe', '/cfrnet')[1].count('  type: ') > 40


def test_refusals_name_the_cause(shell: Shell) -> None:
    for arguments, said in (
        (['set', '/cfrnet', 'cycles', '99'], 'Min: 1, Max: 8'),
        (['set', '/cfrnet', 'cycles', 'many'], "cycles must be integer; got 'many'"),
        (['set', '/cfrnet', 'model', 'plain'], 'model is read-only'),
        (['set', '/cfrnet', 'cycels', '3'], "no parameter 'cycels'"),
        (['get', '/cfrnet', 'cycels'], "no parameter 'cycels'"),
        (['--timeout', '1', 'get', '/other', 'cycles'], 'there is no node /other'),
    ):
        code, out, error = shell(*arguments)
        assert (code, out) == (1, ''), arguments
        assert said in error
    assert shell('set', '/cfrnet')[0] == 2
    assert shell()[0] == 2


def test_a_node_with_large_data_is_found_without_the_variable(domain: int) -> None:
    shell = Shell(domain)
    del shell.environment[TRANSPORTS]
    assert shell('--timeout', '10', 'get', '/cfrnet', 'provider') == (0, 'auto', '')


@pytest.mark.parametrize(
    ('kind', 'text', 'value'),
    [
        ('BOOL', 'true', True),
        ('BOOL', 'off', False),
        ('INTEGER', '0x10', 16),
        ('INTEGER', '2.0', 2),
        ('DOUBLE', '3', 3.0),
        ('DOUBLE', '1e3', 1000.0),
        ('STRING', 'off', 'off'),
        ('STRING', "'off'", 'off'),
        ('STRING', '5', '5'),
        ('STRING', '{a: 1}', '{a: 1}'),
        ('STRING', '@[', '@['),
        ('STRING', '', ''),
        ('DOUBLE_ARRAY', '[1, 2.5]', [1.0, 2.5]),
        ('STRING_ARRAY', '[a, 5]', ['a', '5']),
        ('BOOL_ARRAY', '[true, no]', [True, False]),
        ('NOT_SET', '5', 5),
        ('NOT_SET', '[1.5]', [1.5]),
        ('NOT_SET', 'text', 'text'),
        ('NOT_SET', '{a: 1}', "{'a': 1}"),
    ],
)
def test_text_becomes_a_value_of_the_declared_type(kind: str, text: str, value: object) -> None:
    message = parse_value('x', text, getattr(ParameterType, f'PARAMETER_{kind}'))
    assert parameter_value_to_python(message) == value
    if kind not in ('NOT_SET', 'STRING'):
        assert parse_value('x', value_text(value), message.type) == message


@pytest.mark.parametrize(
    ('kind', 'text'),
    [
        ('BOOL', '1'),
        ('INTEGER', '2.5'),
        ('INTEGER', 'true'),
        ('INTEGER', 'nan'),
        ('DOUBLE', 'fast'),
        ('DOUBLE', '[1]'),
        ('DOUBLE_ARRAY', '1'),
        ('DOUBLE_ARRAY', '[a]'),
    ],
)
def test_other_text_is_refused(kind: str, text: str) -> None:
    with pytest.raises(ValueError, match='x must be'):
        parse_value('x', text, getattr(ParameterType, f'PARAMETER_{kind}'))
