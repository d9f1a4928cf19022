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

from __future__ import annotations

import math
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import pytest
import rclpy
import yaml
from node_harness import ROOT
from rclpy.context import Context
from rclpy.node import Node
from rclpy.parameter import Parameter
from ros_domains import next_domain

from cfrnet_ros.node.parameters import PARAMETERS, NodeParameters, Settings, document
from cfrnet_ros.node.parameters.node_parameters import descriptor
from cfrnet_ros.node.parameters.overrides import find_problems
from cfrnet_ros.vision.declaration import declarations, parameter
from cfrnet_ros.vision.settings import PipelineSettings


def flatten(tree: dict[str, Any], prefix: str = '') -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in tree.items():
        if isinstance(value, dict):
            flat |= flatten(value, f'{prefix}{key}.')
        else:
            flat[prefix + key] = value
    return flat


def read_params(text: str) -> dict[str, Any]:
    content = yaml.safe_load(text)
    assert list(content) == ['/**']
    return flatten(content['/**']['ros__parameters'])


def test_dms_yaml_contains_every_default_with_its_type() -> None:
    given = read_params((ROOT / 'config' / 'dms.yaml').read_text())
    expected = {
        name: list(declared.default) if isinstance(declared.default, tuple) else declared.default
        for name, declared in PARAMETERS.items()
    }
    assert given == expected
    assert {name: type(value) for name, value in given.items()} == {
        name: type(value) for name, value in expected.items()
    }
    assert find_problems(given)[1] == []


def test_reading_the_declarations_loads_no_onnx_runtime() -> None:
    """Launch files read them in their own process."""
    code = (
        'import sys\n'
        'from cfrnet_ros.node.parameters import PARAMETERS\n'
        "print({'onnxruntime', 'onnx', 'cv2'} & sys.modules.keys())"
    )
    done = subprocess.run([sys.executable, '-c', code], cwd=ROOT, capture_output=True, text=True)
    assert (done.stdout.strip(), done.stderr) == ('set()', '')


def test_every_number_has_a_range_in_its_descriptor() -> None:
    for name, declared in PARAMETERS.items():
        found = descriptor(declared)
        assert found.read_only != declared.dynamic
        if isinstance(declared.default, (int, float)) and not isinstance(declared.default, bool):
            assert found.integer_range or found.floating_point_range, name


@dataclass(frozen=True)
class OneMore(Settings):
    """The node's settings with three more parameters."""

    grain: float = parameter(0.5, 'Share of grain.', dynamic=True, low=0, high=2, unit='sigma')
    voice: str = parameter('off', 'What it says.', choices=('off', 'loud'))
    diagnostics_limit: float = parameter(1e-5, 'Limit.', low=0, high=1, level='diagnostics')


ONE_MORE = declarations(OneMore)


@pytest.fixture
def node(request: pytest.FixtureRequest) -> Iterator[Node]:
    """A ROS node; `request.param` is its command line."""
    context = Context()
    arguments = ['--ros-args', *getattr(request, 'param', [])]
    rclpy.init(args=arguments, context=context, domain_id=next_domain())
    node = Node('bare', context=context, automatically_declare_parameters_from_overrides=True)
    yield node
    node.destroy_node()
    rclpy.shutdown(context=context)


def test_new_dynamic_parameter_needs_only_a_field(node: Node) -> None:
    """Descriptor, snapshot, validation, params file and table are derived from one field."""
    params = NodeParameters(node, OneMore)
    found = node.describe_parameter('grain')
    assert found.description == 'Share of grain.'
    assert found.additional_constraints == '0 to 2 sigma'
    assert not found.read_only
    assert (found.floating_point_range[0].from_value, found.floating_point_range[0].to_value) == (
        0.0,
        2.0,
    )
    assert vars(params.settings)['grain'] == 0.5
    assert node.set_parameters([Parameter('grain', value=2)])[0].successful
    assert vars(params.settings)['grain'] == 2.0
    assert not node.set_parameters([Parameter('grain', value=2.5)])[0].successful
    assert vars(params.settings)['grain'] == 2.0

    assert find_problems({'grain': 3}, ONE_MORE)[1] == [
        'grain must be double, 0 to 2 sigma; got 3.0'
    ]
    assert "did you mean 'grain'" in find_problems({'grian': 1}, ONE_MORE)[1][0]
    with pytest.raises(ValueError, match='grain must be double, 0 to 2 sigma; got nan'):
        OneMore(grain=math.nan)

    text = document.params_file(ONE_MORE)
    assert '    # Share of grain. Range: 0 to 2 sigma.\n    grain: 0.5\n' in text
    row = '| `grain` | double | `0.5` | 0 to 2 sigma | Share of grain. |\n'
    assert row in document.table(ONE_MORE, dynamic=True)
    assert row not in document.table(ONE_MORE, dynamic=False)


def test_params_file_round_trips_the_defaults() -> None:
    given = read_params(document.params_file(ONE_MORE))
    assert given.keys() == ONE_MORE.keys()
    assert OneMore(**{ONE_MORE[name].field: value for name, value in given.items()}) == OneMore()


@pytest.mark.parametrize('node', [['-p', 'voice:=off']], indirect=True)
def test_off_without_quotes_is_accepted_for_a_string(node: Node) -> None:
    """YAML, and so ROS 2's command line, reads an unquoted off as false."""
    params = NodeParameters(node, OneMore)
    assert params.problems == []
    assert vars(params.settings)['voice'] == 'off'


def test_pipeline_settings_are_built_once_for_each_change(node: Node) -> None:
    params = NodeParameters(node)
    first = params.settings.pipeline
    assert first == PipelineSettings()
    assert params.settings.pipeline is first
    assert node.set_parameters([Parameter('cycles', value=3)])[0].successful
    assert params.settings.pipeline == PipelineSettings(cycles=3)
    # The pipeline's settings stay the same when another parameter changes.
    assert node.set_parameters([Parameter('diagnostics.window_s', value=5)])[0].successful
    assert params.settings.diagnostics_window_s == 5.0
    assert params.settings.pipeline == replace(first, cycles=3)


@pytest.mark.parametrize(
    ('name', 'value', 'part'),
    [
        ('cycles', 0, '1 to 8'),
        ('cycles', 9, 'got 9'),
        ('cycles', 2.5, 'integer'),
        ('cycles', True, 'got True (bool)'),
        ('cycles', 'two', "got 'two' (string)"),
        ('crop_margin', math.nan, 'double, 0.5 to 3'),
        ('crop_margin', math.inf, 'double, 0.5 to 3'),
        ('detector_input_size', 333, 'in steps of 32'),
        ('image_transport', 'theora', "'raw' or 'compressed'"),
        ('autostart', 'true', 'bool'),
        ('provider', ['cpu', 'cuda'], 'string'),
        ('provider_options', 'a.b=c', 'list of strings'),
        ('cycls', 2, "did you mean 'cycles'"),
        ('age_warn_ms', 2, "did you mean 'diagnostics.age_warn_ms'"),
        ('qos_overrides./image.subscription.reliability', 'utmost', "'best_effort'"),
        ('qos_overrides./image.subscription.depth', 'ten', 'integer above 0'),
        ('qos_overrides./image.subscription.colour', 'red', 'only history'),
        (
            'nonsense_altogether',
            2,
            'the parameters are autostart, bond, camera_rotation, convergence',
        ),
    ],
)
def test_invalid_overrides_are_explained(name: str, value: Any, part: str) -> None:
    values, problems = find_problems({name: value, 'max_faces': 2})
    assert values == {'max_faces': 2}
    assert len(problems) == 1
    assert name in problems[0]
    assert part in problems[0]


def test_parameters_of_rclpy_are_accepted() -> None:
    given = {
        'use_sim_time': True,
        'start_type_description_service': False,
        'qos_overrides./image.subscription.depth': 5,
    }
    assert find_problems(given) == ({}, [])
    assert not given.keys() & PARAMETERS.keys()
