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

"""The launch file of the example, tested with the real launch system where it is installed."""

from __future__ import annotations

from pathlib import Path

import yaml
from eyelid_signals import needs_networks
from launched import ROOT, launched, load, needs_launch

from examples.eyelids.eyelid_node import PARAMETERS

FILE = ROOT / 'examples/eyelids.launch.py'


def test_launch_file_is_valid_python() -> None:
    compile(FILE.read_text(encoding='utf-8'), str(FILE), 'exec')


def test_the_readme_lists_the_parameters_of_the_node() -> None:
    text = (ROOT / 'examples/README.md').read_text(encoding='utf-8')
    for name, (default, descriptor) in PARAMETERS.items():
        value = yaml.safe_dump(default).split('\n')[0]
        row = next(line for line in text.splitlines() if line.startswith(f'| `{name}` |'))
        assert f'| `{value}` | {descriptor.additional_constraints} |' in row
        assert descriptor.description in row


@needs_launch
def test_every_argument_is_described_and_has_the_default_of_the_node() -> None:
    module = load(FILE)
    module.generate_launch_description()
    for argument in module.declare_arguments():
        assert len(argument.description) > 15, argument.name
        if argument.name in PARAMETERS:
            (default,) = argument.default_value
            assert float(default.text) == PARAMETERS[argument.name][0]


@needs_launch
@needs_networks
def test_both_nodes_start_and_the_example_watches_the_restorer(tmp_path: Path) -> None:
    from cfrnet_ros.replay.parameter_client import ParameterClient
    from cfrnet_ros.replay.ros_session import RosSession

    arguments = ('namespace:=cabin', 'image:=/dms/image_raw', 'cycles:=3', 'perclos_warning:=0.3')
    with launched(FILE, tmp_path, *arguments) as log, RosSession('launch_test') as ros:
        watcher = ParameterClient(ros.node, '/cabin/eyelids', timeout_s=90.0)
        found = watcher.get('source', 'perclos_warning', 'window_s')
        restorer_client = ParameterClient(ros.node, '/cabin/cfrnet', timeout_s=90.0)
        cycles = restorer_client.get('cycles')
        topics = dict(ros.node.get_topic_names_and_types())
    assert found == {'source': 'cfrnet', 'perclos_warning': 0.3, 'window_s': 60.0}
    assert cycles == {'cycles': 3}
    assert {'/dms/image_raw', '/cabin/cfrnet/face/image', '/cabin/eyelids/status'} <= set(topics)
    assert 'Traceback' not in log.read_text()
