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

"""The command `cfrnet-view`."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import importlib.util
import os
import signal
import socket
import sys
import tempfile
import webbrowser
from collections.abc import Sequence
from pathlib import Path

from rclpy.utilities import remove_ros_args

from cfrnet_ros.apps.view.access import Access, new_token
from cfrnet_ros.apps.view.arguments import asks_by_itself, parse
from cfrnet_ros.apps.view.hub import Hub
from cfrnet_ros.apps.view.ros_thread import RosThread
from cfrnet_ros.apps.view.server import Server
from cfrnet_ros.node.transport import NODE_PROFILE, choose_profile

#: Period in seconds in which it is looked at whether the bag is still played.
_CHECK_S = 0.5


class ViewError(Exception):
    """The page cannot be served; the text names cause and remedy."""


def main(args: Sequence[str] | None = None) -> int:
    """Run the command.

    Args:
        args: Command line without the program's name; None for that of `sys.argv`.

    Returns:
        Exit code.

    """
    argv = list(sys.argv[1:] if args is None else args)
    given = parse(remove_ros_args(argv))
    if given.bag is not None and importlib.util.find_spec('rosbags') is None:
        print(
            'cfrnet-view: --bag needs rosbags. Install it with\n'
            "  python3 -m pip install 'cfrnet_ros[replay]'",
            file=sys.stderr,
        )
        return 2
    try:
        if given.bag is None:
            choose_profile(NODE_PROFILE)
            asyncio.run(_serve(given, argv))
        else:
            _with_bag(given, argv)
    except ViewError as error:
        print(f'cfrnet-view: {error}', file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        # Before or after the time in which the signal is handled.
        return 0
    return 0


def _with_bag(given: argparse.Namespace, argv: list[str]) -> None:
    from cfrnet_ros.apps.view.played_bag import Bag
    from cfrnet_ros.replay.dds_environment import prepare_environment
    from cfrnet_ros.replay.errors import ReplayError
    from cfrnet_ros.replay.ros_domain import claim_domain

    try:
        bag = Bag(given.bag, given.topic)
        # A domain of its own keeps robots nearby out of it, unless the user chose one.
        if 'ROS_DOMAIN_ID' not in os.environ:
            os.environ['ROS_DOMAIN_ID'] = str(claim_domain())
        prepare_environment()
        asyncio.run(_serve(given, argv, bag))
    except ReplayError as error:
        raise ViewError(str(error)) from error


async def _serve(given: argparse.Namespace, argv: list[str], bag: object = None) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    token = given.token or (new_token() if asks_by_itself(given.host) else '')
    ros = RosThread(argv)
    try:
        hub = Hub(ros)
        server = Server(hub, Access(given.host, token, given.allow_host))
        try:
            runner, port = await server.start(given.host, given.port)
        except OSError as error:
            raise ViewError(
                f'cannot answer at {given.host}, port {given.port}: {error.strerror or error};'
                ' choose another one with --port, or 0 for any that is free'
            ) from error
        try:
            _announce(given, port, token, ros.domain)
            await _wait(stop, bag, ros)
        finally:
            await hub.close()
            await runner.cleanup()
    finally:
        ros.close()


async def _wait(stop: asyncio.Event, bag: object, ros: RosThread) -> None:
    if bag is None:
        await stop.wait()
        return
    from cfrnet_ros.apps.view.played_bag import Bag, PlayedBag

    assert isinstance(bag, Bag)
    print('the node loads its models; the bag is then played in a loop', flush=True)
    with (
        tempfile.TemporaryDirectory(prefix='cfrnet_view_') as folder,
        PlayedBag(bag, ros.node, Path(folder)) as played,
    ):
        while not stop.is_set():
            played.check()
            with contextlib.suppress(asyncio.TimeoutError):
                await asyncio.wait_for(stop.wait(), _CHECK_S)


def _announce(given: argparse.Namespace, port: int, token: str, domain: int) -> None:
    fragment = f'#token={token}' if token else ''
    own = {'0.0.0.0': '127.0.0.1', '::': '::1'}.get(given.host, given.host)
    mine = f'http://{_literal(own)}:{port}/{fragment}'
    print(f'cfrnet-view: {mine}', flush=True)
    if own != given.host:
        name = _own_address() if own == '127.0.0.1' else socket.gethostname()
        print(f'from other machines: http://{name}:{port}/{fragment}', flush=True)
    if asks_by_itself(given.host):
        print(
            'The connection is not encrypted: whoever listens on this network sees pictures and'
            ' token.',
            flush=True,
        )
    print(f'ROS domain {domain}; Ctrl-C ends it', flush=True)
    if given.open:
        webbrowser.open(mine)


def _literal(address: str) -> str:
    return f'[{address}]' if ':' in address else address


def _own_address() -> str:
    """Return this machine's address in its network; its name if it has none."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            # Sends nothing: it only chooses the interface. The address is one for documentation.
            probe.connect(('192.0.2.1', 9))
        except OSError:
            return socket.gethostname()
        return str(probe.getsockname()[0])


if __name__ == '__main__':
    sys.exit(main())
