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

"""Explanations, with remedies, of ROS 2's errors about command lines and params files."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from cfrnet_ros.node.given_arguments import without_value
from cfrnet_ros.node.parameters import PARAMETERS
from cfrnet_ros.node.parameters.document import yaml_text

#: Beginning of a params file, for messages.
_BEGINNING = '`/**:` and, on the next line, `  ros__parameters:` with two underscores'


class ArgumentError(Exception):
    """Argument that ROS 2 would ignore; the text of the error names the remedy."""


def explain(error: Exception, arguments: Sequence[str] = ()) -> str:
    """Explain why the node cannot start.

    Args:
        error: Exception of `rclpy.init` or of the node's constructor.
        arguments: Words of the command line.

    Returns:
        Cause and remedy, followed by the original text in parentheses; the original text alone if
        no explanation is known.

    """
    if isinstance(error, ArgumentError):
        return str(error)
    text = f'{type(error).__name__}: {" ".join(str(error).split())}'
    if 'NOT_SET' in text:
        return f'{_not_set(arguments)} ({text})'
    for pattern, make in _EXPLANATIONS:
        found = re.search(pattern, text)
        if found is not None:
            return f'{make(text, found)} ({text})'
    return text


def check_arguments(arguments: Sequence[str]) -> None:
    """Refuse arguments at places where ROS 2 does not read them.

    Args:
        arguments: Words of the command line without the program's name.

    Raises:
        ArgumentError: There are such arguments; the text says how to write them.

    """
    outside: list[str] = []
    within = False
    for argument in arguments:
        if argument in ('--ros-args', '--'):
            within = argument == '--ros-args'
        elif not within:
            outside.append(argument)
    if outside:
        meant = ' '.join(_meant(outside)) or '-p NAME:=VALUE, -r image:=TOPIC or --params-file FILE'
        raise ArgumentError(
            f'{" ".join(outside)}: ROS 2 reads arguments behind --ros-args only; write'
            f' --ros-args {meant}'
        )


def _meant(words: Sequence[str]) -> Iterator[str]:
    """Yield how words outside of --ros-args were probably meant; `--cycles 3` is -p cycles:=3."""
    rest = list(words)
    while rest:
        word = rest.pop(0)
        name, equals, value = word.lstrip('-').partition('=')
        name = name.removesuffix(':').replace('-', '_')
        if word in ('-p', '-r', '--params-file', '--log-level') and rest:
            yield f'{word} {rest.pop(0)}'
        elif word.startswith('-') and (name in PARAMETERS or name == 'image'):
            if not equals:
                value = rest.pop(0) if rest and not rest[0].startswith('-') else 'VALUE'
            yield _with_option(f'{name}:={value}')
        elif ':=' in word:
            yield _with_option(word)


def _with_option(assignment: str) -> str:
    """Return '-p NAME:=VALUE' for a parameter, '-r NAME:=VALUE' for a topic or node name."""
    return f'{"-p" if assignment.partition(":=")[0] in PARAMETERS else "-r"} {assignment}'


def _params_file(text: str) -> Path | None:
    found = re.search(r"'--params-file (.*?)'\. Error", text)
    return None if found is None else Path(found[1])


def _rule(text: str) -> str:
    found = re.search(r"rule: '(.*?)'\. Error", text)
    return 'the argument' if found is None else found[1]


def _line(text: str, number: int) -> str:
    """Return where an error is: the argument, or file, number and text of the line."""
    path = _params_file(text)
    if path is None:
        return _rule(text)
    try:
        lines = path.read_text(errors='replace').splitlines()
    except OSError:
        lines = []
    content = f': {lines[number - 1].strip()}' if 0 < number <= len(lines) else ''
    return f'{path}, line {number}{content}'


def _mixed_list(text: str, found: re.Match[str]) -> str:
    where = _line(text, int(found[1]))
    return (
        f'{where}: the list mixes types, and ROS 2 reads lists of one type only; write every number'
        ' with a decimal point, as in [0.0, 0.0, 0.5, 1.0]'
    )


def _outside(text: str, found: re.Match[str]) -> str:
    path = _params_file(text)
    where = _line(text, int(found[1]))
    try:
        content = '' if path is None else path.read_text(errors='replace')
    except OSError:
        content = ''
    if re.search(r'\bros_parameters\s*:', content):
        return f'{path}: `ros_parameters:` has one underscore; write `ros__parameters:` with two'
    return f'{where}: no parameter may stand above `ros__parameters:`; begin with {_BEGINNING}'


def _unknown_argument(text: str, found: re.Match[str]) -> str:
    unknown = re.findall(r"'([^']*)'", found[1])
    assignments = [argument for argument in unknown if ':=' in argument]
    if not assignments:
        return (
            f'ROS 2 does not know {" ".join(unknown)}; options of --ros-args are -p, -r and others'
        )
    meant = ' '.join(map(_with_option, assignments))
    return f'-r or -p is missing before {" ".join(assignments)}; write {meant}'


def _no_assignment(text: str, found: re.Match[str]) -> str:
    return f'{_rule(text)}: name and value are separated by :=, as in -p cycles:=3'


def _no_value(text: str, found: re.Match[str]) -> str:
    return f'{_rule(text)}: there is no value behind :='


def _not_set(arguments: Sequence[str]) -> str:
    names = without_value(arguments)
    meant = [
        f'{name}: {yaml_text(PARAMETERS[name].default)}' for name in names if name in PARAMETERS
    ]
    which = ' and '.join(names) or 'a parameter'
    defaults = f'; the default is {", ".join(meant)}' if meant else ''
    return (
        f'{which} is given without a value, and ROS 2 treats an empty list as no value; leave it'
        f' out or write all of it{defaults}'
    )


def _no_yaml(text: str, found: re.Match[str]) -> str:
    where = _line(text, int(found[1]))
    return f'{where}: this is no YAML; check the indentation, which must be blanks and no tabs'


_EXPLANATIONS: tuple[tuple[str, Callable[[str, re.Match[str]], str]], ...] = (
    (r'Sequence should be of same type.* at line_num (\d+)', _mixed_list),
    (r'Cannot have a value before ros__parameters at line (\d+)', _outside),
    (r'UnknownROSArgsError: (\[.*\])', _unknown_argument),
    (r'Expected lexeme type', _no_assignment),
    (r'parameter override rule.*error not set', _no_value),
    (r'Error parsing a event near line (\d+)', _no_yaml),
)
