from __future__ import annotations

import math
from typing import Any

import pytest
import yaml
from node_harness import ROOT

from cfrnet_ros.node.parameters import BY_NAME, SPECS, find_problems


def flatten(tree: dict[str, Any], prefix: str = '') -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in tree.items():
        if isinstance(value, dict):
            flat |= flatten(value, f'{prefix}{key}.')
        else:
            flat[prefix + key] = value
    return flat


def test_yaml_holds_every_default_in_its_type() -> None:
    content = yaml.safe_load((ROOT / 'config' / 'dms.yaml').read_text())
    assert list(content) == ['/**']
    given = flatten(content['/**']['ros__parameters'])
    expected = {
        spec.name: list(spec.default) if isinstance(spec.default, tuple) else spec.default
        for spec in SPECS
    }
    assert given == expected
    assert {name: type(value) for name, value in given.items()} == {
        name: type(value) for name, value in expected.items()
    }
    assert find_problems(given)[1] == []


def test_every_parameter_is_described_and_its_default_allowed() -> None:
    for spec in SPECS:
        descriptor = spec.descriptor()
        assert descriptor.description.endswith('.'), spec.name
        assert descriptor.read_only != spec.dynamic
        assert spec.convert(spec.default) == spec.default
        if isinstance(spec.default, (int, float)) and not isinstance(spec.default, bool):
            assert descriptor.integer_range or descriptor.floating_point_range, spec.name


def test_numbers_may_be_typed_without_or_with_a_point() -> None:
    assert find_problems({'crop_margin': 1, 'cycles': 3.0}) == (
        {'crop_margin': 1.0, 'cycles': 3},
        [],
    )


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
        ('nonsense_altogether', 2, 'known are'),
    ],
)
def test_wrong_settings_are_told_apart_and_explained(name: str, value: Any, part: str) -> None:
    values, problems = find_problems({name: value, 'max_faces': 2})
    assert values == {'max_faces': 2}
    assert len(problems) == 1
    assert name in problems[0]
    assert part in problems[0]


def test_what_ros_itself_declares_is_let_through() -> None:
    given = {
        'use_sim_time': True,
        'start_type_description_service': False,
        'qos_overrides./image.subscription.depth': 5,
    }
    assert find_problems(given) == ({}, [])
    assert not given.keys() & BY_NAME.keys()
