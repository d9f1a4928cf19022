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

"""Command line of `cfrnet-view`."""

from __future__ import annotations

import argparse
import ipaddress
from collections.abc import Sequence
from pathlib import Path

from cfrnet_ros.apps.view.access import LEAST_TOKEN, is_loopback

DESCRIPTION = """\
Shows running restorers as a page in the browser: camera and restored faces side by side, the
latency of each stage, dropped frames, diagnostics, and sliders for what can be tuned.

  cfrnet-view                        http://127.0.0.1:8420, for this machine only
  cfrnet-view --host 0.0.0.0         for a phone too; the address that is printed has a token
  cfrnet-view --bag drive.mcap       without a node or camera: both are started with the bag

All restorers in the ROS domain are found. Arguments behind --ros-args are those of every ROS 2
node.
"""

EPILOG = """\
Exit code: 0 after Ctrl-C, 1 if the page cannot be served or the bag cannot be played, 2 for a
wrong command line.
"""
PORT = 8420


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    """Read the command line.

    Args:
        arguments: Words without the program's name and without those behind --ros-args.

    Returns:
        Values of all options; `token` is the text of the token file, '' without one.

    """
    parser = argparse.ArgumentParser(
        prog='cfrnet-view',
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add('--host', default='127.0.0.1', type=_address, metavar='ADDRESS',
        help='address to answer at: 0.0.0.0 for all of this machine, :: for IPv6 (default:'
        ' 127.0.0.1, which nobody else reaches)')  # fmt: skip
    add('--port', type=int, default=PORT, choices=range(65536), metavar='PORT',
        help=f'default: {PORT}; 0 for any that is free')  # fmt: skip
    add('--open', action='store_true', help='open the page in the browser')
    add('--token-file', type=Path, metavar='FILE',
        help=f'ask for the token in the first line of this file (at least {LEAST_TOKEN}'
        ' characters), on 127.0.0.1 too; otherwise a new one is drawn where others can reach the'
        ' page')  # fmt: skip
    add('--allow-host', action='append', default=[], metavar='NAME',
        help='further name under which the page is asked for; may be repeated')  # fmt: skip
    add('--bag', type=Path, help='start a node and play this bag to it in a loop')
    add('--topic', metavar='NAME', help='topic of the images, if the bag has several')
    given = parser.parse_args(list(arguments))
    if given.topic and not given.bag:
        parser.error('--topic is for --bag; running nodes are found by themselves')
    given.token = ''
    if given.token_file is not None:
        try:
            given.token = _token(given.token_file)
        except (OSError, ValueError) as error:
            parser.error(f'--token-file {given.token_file}: {error}')
    return given


def _address(text: str) -> str:
    if text == 'localhost':
        return '127.0.0.1'
    try:
        ipaddress.ip_address(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(
            f'{text!r} is no address in numbers, such as 0.0.0.0 or 127.0.0.1'
        ) from error
    return text


def _token(path: Path) -> str:
    token = path.read_text(encoding='utf-8').partition('\n')[0].strip()
    if len(token) < LEAST_TOKEN:
        raise ValueError(f'the first line needs at least {LEAST_TOKEN} characters')
    return token


def asks_by_itself(address: str) -> bool:
    """Return whether a token is asked for without `--token-file`: where others can connect."""
    return not is_loopback(address)
