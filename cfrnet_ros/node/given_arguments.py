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

"""What the command line and its params files give, read independently of ROS 2.

ROS 2 ignores a params file for another node in silence, and its error about a parameter without
a value does not name the parameter.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import yaml

_PARAMETERS_KEY = 'ros__parameters'


def unmatched_files(arguments: Sequence[str], node_names: Sequence[str]) -> list[str]:
    """Return a warning for each params file that has no parameters for the nodes of a process.

    Args:
        arguments: Words of the command line.
        node_names: Fully qualified names of the nodes.

    """
    warnings = []
    for path in _params_files(arguments):
        keys = [key for key, _ in _nodes(_read(path))]
        if keys and not any(_matches(key, name) for key in keys for name in node_names):
            warnings.append(
                f'{path} has no effect: its parameters are for {", ".join(keys)}, and this node is'
                f' {", ".join(node_names)}; use that name as the key, or /** for every node'
            )
    return warnings


def without_value(arguments: Sequence[str]) -> list[str]:
    """Return the names of the parameters that are given without a value, or as an empty list.

    Args:
        arguments: Words of the command line.

    """
    names = []
    for path in _params_files(arguments):
        for _, parameters in _nodes(_read(path)):
            names += [name for name, value in _flat(parameters) if value in (None, [])]
    for argument in arguments:
        name, assigned, value = argument.partition(':=')
        if assigned and value.strip() in ('[]', '~', 'null'):
            names.append(name)
    return names


def _params_files(arguments: Sequence[str]) -> Iterator[Path]:
    for option, value in pairwise(arguments):
        if option == '--params-file':
            yield Path(value)


def _read(path: Path) -> Any:
    try:
        return yaml.safe_load(path.read_text(encoding='utf-8'))
    except (OSError, ValueError, yaml.YAMLError):
        # ROS 2 reads the file as well and tells what is wrong with it.
        return None


def _nodes(content: Any, above: str = '') -> Iterator[tuple[str, Any]]:
    """Yield the names of nodes in a params file, as ROS 2 reads them, with their parameters."""
    if not isinstance(content, Mapping):
        return
    for key, value in content.items():
        if key == _PARAMETERS_KEY:
            yield above, value
        else:
            yield from _nodes(value, f'{above}/{str(key).strip("/")}')


def _matches(key: str, node_name: str) -> bool:
    """Return whether the name of a node matches a key with wildcards, as in rclcpp and rclpy."""
    pattern = re.escape(key).replace(r'/\*\*', r'(/\w+)*').replace(r'/\*', r'/\w+')
    return re.fullmatch(pattern, node_name) is not None


def _flat(parameters: Any, above: str = '') -> Iterator[tuple[str, Any]]:
    if isinstance(parameters, Mapping):
        for key, value in parameters.items():
            yield from _flat(value, f'{above}.{key}' if above else str(key))
    else:
        yield above, parameters
