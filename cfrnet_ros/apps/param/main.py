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

"""The command `cfrnet-param`."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence

from cfrnet_ros.apps.param.client import NodeNotFoundError, ParamClient, ParamError
from cfrnet_ros.apps.param.values import description_lines, parse_value, value_text

DESCRIPTION = """\
Reads and sets the parameters of a running ROS 2 node, as `ros2 param` does where it is installed.

  cfrnet-param list                       nodes that have parameters
  cfrnet-param list /cfrnet               parameters of a node, with their values
  cfrnet-param get /cfrnet cycles
  cfrnet-param set /cfrnet cycles 3       values are YAML: 3, 0.5, true, text, [0.1, 0, 0.9, 1]
  cfrnet-param describe /cfrnet cycles    type, range and meaning; of all parameters without a name
"""

EPILOG = """\
Exit code: 0 if it was done, 1 if the node is not found, does not answer or refuses, 2 for a wrong
command line.
"""

#: Environment variable of Fast DDS. Participants with and without LARGE_DATA do not see each other.
TRANSPORTS, LARGE_DATA = 'FASTDDS_BUILTIN_TRANSPORTS', 'LARGE_DATA'


def main(args: Sequence[str] | None = None) -> int:
    """Run the command.

    Args:
        args: Command line without the program's name; None for that of `sys.argv`.

    Returns:
        Exit code.

    """
    given = _parse(args)
    try:
        with ParamClient(given.node or '', given.timeout) as client:
            _run(client, given)
    except NodeNotFoundError as error:
        if TRANSPORTS not in os.environ:
            return _with_large_data(sys.argv[1:] if args is None else list(args))
        return _fail(
            f'{error}. Is it running, in this ROS_DOMAIN_ID ({os.environ.get("ROS_DOMAIN_ID", 0)})'
            f' and with this {TRANSPORTS} ({os.environ[TRANSPORTS]}) or without?'
        )
    except (ParamError, ValueError) as error:
        return _fail(str(error))
    except KeyboardInterrupt:
        return 130
    return 0


def _run(client: ParamClient, given: argparse.Namespace) -> None:
    if given.verb == 'list' and not given.node:
        print('\n'.join(client.nodes()))
    elif given.verb == 'list':
        names = client.names()
        for name, value in zip(names, client.values(names), strict=True):
            print(f'{name}: {value_text(value)}')
    elif given.verb == 'get':
        client.describe([given.name])
        print(value_text(client.values([given.name])[0]))
    elif given.verb == 'set':
        (descriptor,) = client.describe([given.name])
        if descriptor.read_only:
            raise ParamError(f'{given.name} is read-only: set it when the node starts')
        client.set(given.name, parse_value(given.name, given.value, descriptor.type))
        print(f'{given.name}: {value_text(client.values([given.name])[0])}')
    else:
        names = given.names or client.names()
        descriptors, values = client.describe(names), client.values(names)
        for descriptor, value in zip(descriptors, values, strict=True):
            print('\n'.join(description_lines(descriptor, value)))


def _with_large_data(arguments: list[str]) -> int:
    """Run the command once more in a process that sees nodes with Fast DDS's LARGE_DATA."""
    environment = {**os.environ, TRANSPORTS: LARGE_DATA}
    command = [sys.executable, '-m', 'cfrnet_ros.apps.param.main', *arguments]
    sys.stdout.flush()
    # The middleware reads the variable at start, so this process cannot change over.
    return os.spawnve(os.P_WAIT, sys.executable, command, environment)


def _fail(text: str) -> int:
    print(f'cfrnet-param: {text}', file=sys.stderr)
    return 1


def _parse(args: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog='cfrnet-param',
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument('--timeout', type=float, default=5.0, metavar='S',
        help='longest time to wait for the node and for an answer, in seconds (default:'
        ' 5)')  # fmt: skip
    verbs = parser.add_subparsers(dest='verb', required=True, metavar='list|get|set|describe')
    add = verbs.add_parser('list', help='nodes, or the parameters of a node')
    add.add_argument('node', nargs='?')
    add = verbs.add_parser('get', help='value of a parameter')
    add.add_argument('node')
    add.add_argument('name')
    add = verbs.add_parser('set', help='set a parameter')
    add.add_argument('node')
    add.add_argument('name')
    add.add_argument('value')
    add = verbs.add_parser('describe', help='type, range and meaning of parameters')
    add.add_argument('node')
    add.add_argument('names', nargs='*', metavar='name')
    return parser.parse_args(args)


if __name__ == '__main__':
    sys.exit(main())
