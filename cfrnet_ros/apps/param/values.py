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

"""Converts the values of parameters to text and back."""

from __future__ import annotations

from typing import Any

import yaml
from rcl_interfaces.msg import ParameterDescriptor, ParameterType, ParameterValue
from rclpy.parameter import Parameter, get_parameter_value

#: Names of the types, as `ros2 param describe` writes them.
TYPE_NAMES = {
    ParameterType.PARAMETER_NOT_SET: 'not set',
    ParameterType.PARAMETER_BOOL: 'boolean',
    ParameterType.PARAMETER_INTEGER: 'integer',
    ParameterType.PARAMETER_DOUBLE: 'double',
    ParameterType.PARAMETER_STRING: 'string',
    ParameterType.PARAMETER_BYTE_ARRAY: 'byte array',
    ParameterType.PARAMETER_BOOL_ARRAY: 'boolean array',
    ParameterType.PARAMETER_INTEGER_ARRAY: 'integer array',
    ParameterType.PARAMETER_DOUBLE_ARRAY: 'double array',
    ParameterType.PARAMETER_STRING_ARRAY: 'string array',
}
_MEMBERS = {
    ParameterType.PARAMETER_BOOL_ARRAY: ParameterType.PARAMETER_BOOL,
    ParameterType.PARAMETER_INTEGER_ARRAY: ParameterType.PARAMETER_INTEGER,
    ParameterType.PARAMETER_DOUBLE_ARRAY: ParameterType.PARAMETER_DOUBLE,
    ParameterType.PARAMETER_STRING_ARRAY: ParameterType.PARAMETER_STRING,
}


def parse_value(name: str, text: str, kind: int) -> ParameterValue:
    """Read a value from the command line.

    The text is YAML, as for `ros2 param set`. The type is that of the parameter: `1` is a double
    where the node has declared one, and `off` is a string where it has declared a string.

    Args:
        name: Name of the parameter, for messages.
        text: Text of the command line.
        kind: Type of the parameter in the node, one of `ParameterType`.

    Raises:
        ValueError: The text is no value of that type.

    """
    try:
        value = yaml.safe_load(text)
    except yaml.YAMLError:
        value = text
    if kind == ParameterType.PARAMETER_NOT_SET:
        if isinstance(value, (bool, int, float, list)):
            return get_parameter_value(text)
        return _message(name, ParameterType.PARAMETER_STRING, str(value or text))
    try:
        if kind in _MEMBERS:
            members = value if isinstance(value, list) else [None]
            return _message(name, kind, [_converted(v, str(v), _MEMBERS[kind]) for v in members])
        return _message(name, kind, _converted(value, text, kind))
    except ValueError:
        example = ', such as [1, 2]' if kind in _MEMBERS else ''
        raise ValueError(f'{name} must be {TYPE_NAMES[kind]}{example}; got {text!r}') from None


def _converted(value: Any, text: str, kind: int) -> Any:
    """Return a value of YAML as one of the type, or raise ValueError."""
    if kind == ParameterType.PARAMETER_STRING:
        if value is None and text == 'None':
            raise ValueError
        return value if isinstance(value, str) else text
    if kind == ParameterType.PARAMETER_BOOL:
        if not isinstance(value, bool):
            raise ValueError
        return value
    if isinstance(value, str) and kind in (
        ParameterType.PARAMETER_INTEGER,
        ParameterType.PARAMETER_DOUBLE,
    ):
        # YAML 1.1 takes 1e3 for a string.
        value = float(value)
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise ValueError
    if kind == ParameterType.PARAMETER_INTEGER:
        if value != int(value):
            raise ValueError
        return int(value)
    return float(value)


def _message(name: str, kind: int, value: Any) -> ParameterValue:
    message: ParameterValue = Parameter(name, Parameter.Type(kind), value).get_parameter_value()
    return message


def value_text(value: Any) -> str:
    """Return a value as text that `parse_value` reads back."""
    if isinstance(value, str):
        return value
    if value is None:
        return 'not set'
    text = yaml.safe_dump(value, default_flow_style=True, width=10**6).strip()
    return text.removesuffix('...').strip()


def description_lines(descriptor: ParameterDescriptor, value: Any) -> list[str]:
    """Return lines that describe a parameter and its value.

    Args:
        descriptor: Description by the node.
        value: Current value.

    """
    lines = [
        descriptor.name,
        f'  type: {TYPE_NAMES.get(descriptor.type, str(descriptor.type))}',
        f'  value: {value_text(value)}',
    ]
    ranges = (*descriptor.integer_range, *descriptor.floating_point_range)
    for found in ranges:
        step = f' in steps of {found.step:g}' if found.step else ''
        lines.append(f'  range: {found.from_value:g} to {found.to_value:g}{step}')
    if descriptor.additional_constraints:
        lines.append(f'  constraints: {descriptor.additional_constraints}')
    if descriptor.read_only:
        lines.append('  read-only: true (set it when the node starts)')
    if descriptor.description:
        lines.append(f'  description: {descriptor.description}')
    return lines
