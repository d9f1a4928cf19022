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

"""Checks the overrides from a params file or the command line before they are declared."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from typing import Any

from cfrnet_ros.node.parameters.settings import PARAMETERS
from cfrnet_ros.vision.declaration import Declaration, Value, describe

#: Names of the parameters that rclpy itself declares and reads.
BUILT_IN = ('use_sim_time', 'start_type_description_service')
QOS_PREFIX = 'qos_overrides.'
#: QoS policies that can be overridden, with the allowed values; None stands for a number above 0.
_QOS_POLICIES: dict[str, tuple[str, ...] | None] = {
    'history': ('keep_last', 'keep_all', 'system_default'),
    'depth': None,
    'reliability': ('reliable', 'best_effort', 'system_default'),
}


def find_problems(
    overrides: Mapping[str, Any], parameters: Mapping[str, Declaration] = PARAMETERS
) -> tuple[dict[str, Value], list[str]]:
    """Check the overrides from a params file or the command line.

    Args:
        overrides: Values by parameter name.
        parameters: Declarations of all existing parameters, by name.

    Returns:
        Values to declare, converted to their types; and descriptions of the problems, one line for
        each unknown name, wrong type or value out of range.

    """
    values: dict[str, Value] = {}
    problems: list[str] = []
    for name, value in sorted(overrides.items()):
        if name in BUILT_IN:
            continue
        if name.startswith(QOS_PREFIX):
            problems += _qos_problems(name, value)
            continue
        declared = parameters.get(name)
        if declared is None:
            problems.append(_unknown(name, parameters))
            continue
        try:
            values[name] = declared.convert(value)
        except ValueError as error:
            problems.append(str(error))
    return values, problems


def _qos_problems(name: str, value: Any) -> list[str]:
    """Check one QoS override; rclpy would check it only when the topic is created."""
    policy = name.rpartition('.')[2]
    if policy not in _QOS_POLICIES:
        return [f'{name}: only {", ".join(_QOS_POLICIES)} can be overridden']
    choices = _QOS_POLICIES[policy]
    if choices is None:
        valid, expected = type(value) is int and value > 0, 'an integer above 0'
    else:
        valid, expected = value in choices, ' or '.join(repr(choice) for choice in choices)
    return [] if valid else [f'{name} must be {expected}; got {describe(value)}']


def _unknown(name: str, known: Iterable[str]) -> str:
    close = difflib.get_close_matches(name, known, n=1, cutoff=0.6)
    # The right name on the wrong level of the YAML file is another common mistake.
    last = name.split('.')[-1]
    close = close or [other for other in known if other.split('.')[-1] == last]
    names = ', '.join(sorted(known))
    hint = f'did you mean {close[0]!r}?' if close else f'the parameters are {names}'
    return f'there is no parameter {name!r}; {hint}'
