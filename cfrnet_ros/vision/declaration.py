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

"""Declares each parameter once, as a field of the frozen settings that use it.

A parameter needs one line of such a class::

    cycles: int = parameter(2, 'Number of cycles.', dynamic=True, low=1, high=8)

`declarations` reads the fields back. Validation, ROS descriptors, the params file, the tables of
`docs/parameters.md` and launch arguments are made from what it returns, so they cannot differ.
"""

from __future__ import annotations

import numbers
from array import array
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from functools import cache
from types import MappingProxyType
from typing import Any, TypeVar, Union, cast

T = TypeVar('T')

#: Types of a parameter's value. Lists are tuples here, so that settings stay frozen and hashable.
Value = Union[bool, int, float, str, 'tuple[str, ...]', 'tuple[float, ...]']

#: ROS's names of the types.
TYPE_NAMES: Mapping[type, str] = {bool: 'bool', int: 'integer', float: 'double', str: 'string'}

#: Words that YAML, and so ROS 2's command line, reads as a boolean unless they are quoted.
_BOOLEAN_WORDS = {False: ('off', 'no', 'n'), True: ('on', 'yes', 'y')}


def parameter(
    default: T,
    description: str,
    *,
    dynamic: bool = False,
    low: float | None = None,
    high: float | None = None,
    step: int = 1,
    choices: tuple[str, ...] = (),
    unit: str = '',
    level: str = '',
    check: Callable[[Any], object] | None = None,
) -> T:
    """Declare a parameter as a field of a dataclass.

    Args:
        default: Default value. Its Python type is the parameter's type. A tuple, which must not be
            empty, declares a list whose members have the type of its first member.
        description: Meaning, in whole sentences, as `ros2 param describe` shows it.
        dynamic: Whether the parameter can change while the node runs.
        low: Least value of a number; None, together with `high`, if every value is allowed.
        high: Greatest value of a number.
        step: Distance between the allowed values of an integer, counted from `low`.
        choices: Allowed values of a string; empty if every value is allowed.
        unit: Unit of a number, as it is written after one: 'ms', 'px', 'degrees'.
        level: Level of the params file that contains the parameter, for instance
            'diagnostics'; the field's name must begin with it and an underscore.
        check: Function that raises ValueError, with the reason, for a value that has the right
            type and range but still cannot be used.

    Returns:
        Dataclass field; for the type checker its type is that of the default.

    """
    facts = {
        'description': description,
        'dynamic': dynamic,
        'low': low,
        'high': high,
        'step': step,
        'choices': choices,
        'unit': unit,
        'level': level,
        'check': check,
    }
    return field(default=default, metadata=facts)


@dataclass(frozen=True)
class Declaration:
    """Declaration of one parameter.

    The attributes not listed here are those of `parameter`.

    Attributes:
        field: Name of the field in the settings.

    Raises:
        TypeError: The declaration contradicts itself. This is an error in the code; the text
            names the field.

    """

    field: str
    default: Value
    description: str
    dynamic: bool = False
    low: float | None = None
    high: float | None = None
    step: int = 1
    choices: tuple[str, ...] = ()
    unit: str = ''
    level: str = ''
    check: Callable[[Any], object] | None = None

    def __post_init__(self) -> None:
        """Check the consistency of the declaration."""
        mistake = ''
        if not self.description.endswith('.'):
            mistake = 'the description must be a sentence and end with a full stop'
        elif (self.low is None) is not (self.high is None):
            mistake = 'a range needs both low and high'
        elif self.level and not self.field.startswith(f'{self.level}_'):
            mistake = f'on the level {self.level!r}, the name must begin with {self.level!r}_'
        else:
            try:
                self.convert(self.default)
            except ValueError as error:
                mistake = f'the default is not allowed: {error}'
        if mistake:
            raise TypeError(f'parameter {self.field!r} is declared wrongly: {mistake}')

    @property
    def name(self) -> str:
        """Name on the command line; a dot separates the levels of the params file."""
        return f'{self.level}.{self.field[len(self.level) + 1 :]}' if self.level else self.field

    @property
    def type_name(self) -> str:
        """Name of the type in ROS: bool, integer, double or string, or a list of one of them."""
        if isinstance(self.default, tuple):
            return f'list of {TYPE_NAMES[type(self.default[0])]}s'
        return TYPE_NAMES[type(self.default)]

    @property
    def range_text(self) -> str:
        """Allowed values in words, with the unit; empty if every value is allowed."""
        if self.choices:
            return ' or '.join(repr(choice) for choice in self.choices)
        if self.low is None or self.high is None:
            return ''
        text = f'{_number(self.low)} to {_number(self.high)}'
        text = f'{text} {self.unit}' if self.unit else text
        return text if self.step == 1 else f'{text} in steps of {self.step}'

    @property
    def expected(self) -> str:
        """Description of an allowed value, for error messages."""
        return f'{self.type_name}, {self.range_text}' if self.range_text else self.type_name

    def convert(self, value: Any) -> Value:
        """Convert a value to this parameter's type if nothing is lost by it.

        Users type `1` where a double is expected, `2.0` where an integer is expected, and `off`
        where a string is expected, which YAML reads as false.

        Raises:
            ValueError: The value is of another type, out of range, not finite, or refused by
                `check`; the text says what was expected.

        """
        kind = type(self.default)
        given: Any = value
        # In Python a bool is an integer, but it is never meant as a number here.
        number = isinstance(value, numbers.Real) and not isinstance(value, bool)
        if kind is float and number:
            given = float(value)
        elif kind is int and number and float(value).is_integer():
            given = int(value)
        elif kind is str and isinstance(value, bool):
            words = (word for word in _BOOLEAN_WORDS[value] if word in self.choices)
            given = next(words, value)
        elif kind is tuple and isinstance(value, (list, tuple, array)):
            # rclpy reads an empty list as a list of bytes, so only the members show the type.
            given = self._convert_members(tuple(value))
        if type(given) is not kind:
            raise ValueError(f'{self.name} must be {self.expected}; got {describe(given)}')
        if self.low is not None and self.high is not None:
            # This form of the comparison refuses NaN as well.
            in_range = self.low <= cast(float, given) <= self.high
            if not in_range or (kind is int and (cast(int, given) - int(self.low)) % self.step):
                raise ValueError(f'{self.name} must be {self.expected}; got {given}')
        if self.choices and given not in self.choices:
            raise ValueError(f'{self.name} must be {self.expected}; got {given!r}')
        if self.check is not None:
            self.check(given)
        converted: Value = given
        return converted

    def _convert_members(self, given: tuple[Any, ...]) -> tuple[Any, ...]:
        kind = type(cast('tuple[Value, ...]', self.default)[0])
        if kind is float:
            given = tuple(float(m) if type(m) is int else m for m in given)
        if not all(type(member) is kind for member in given):
            raise ValueError(f'{self.name} must be {self.expected}; got {list(given)!r}')
        return given


def declarations(settings: type) -> Mapping[str, Declaration]:
    """Return the declarations of the parameters in a class of settings.

    Args:
        settings: Dataclass whose fields are all made by `parameter`.

    Returns:
        Declarations by parameter name, in the order of the fields.

    Raises:
        TypeError: A field was not made by `parameter`, or its declaration is wrong.

    """
    return _read(settings)


@cache
def _read(settings: Any) -> Mapping[str, Declaration]:
    found: dict[str, Declaration] = {}
    for member in fields(settings):
        if 'description' not in member.metadata:
            raise TypeError(
                f'field {member.name!r} of {settings.__name__} is not a parameter: declare it with'
                ' parameter(default, description)'
            )
        declared = Declaration(member.name, cast(Value, member.default), **member.metadata)
        found[declared.name] = declared
    return MappingProxyType(found)


def convert_fields(settings: object) -> None:
    """Convert each field of new settings to its declared type; to be called in `__post_init__`.

    Args:
        settings: Instance of a dataclass that `declarations` can read, frozen or not.

    Raises:
        ValueError: Values do not agree with their declarations; the text names all of them.

    """
    problems: list[str] = []
    for declared in declarations(type(settings)).values():
        try:
            value = declared.convert(getattr(settings, declared.field))
        except ValueError as error:
            problems.append(str(error))
        else:
            # The settings are still being constructed, so no other code has seen them.
            object.__setattr__(settings, declared.field, value)
    if problems:
        raise ValueError('; '.join(problems))


def describe(value: object) -> str:
    """Return a value and ROS's name of its type, for error messages."""
    return f'{value!r} ({TYPE_NAMES.get(type(value), type(value).__name__)})'


def _number(value: float) -> str:
    return str(int(value)) if float(value).is_integer() else f'{value:g}'
