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

"""Entry point of the executable `cfrnet-cameras`: several cameras in one process."""

from __future__ import annotations

import argparse
import os
import re
import sys
import threading
import traceback
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cfrnet_ros.node.process import NodeLife, Session

if TYPE_CHECKING:
    from cfrnet_ros.node.restorer_node import RestorerNode
    from cfrnet_ros.node.shared import Shared

DESCRIPTION = """\
Restores the faces of several cameras in one process, with one engine for all of them.

  cfrnet-cameras front rear
  cfrnet-cameras front=/dms/front/image_raw rear=/dms/rear/image_raw \\
      --ros-args --params-file cameras.yaml -p cycles:=2

Each camera is a lifecycle node of its own, /front/cfrnet and /rear/cfrnet, with its own parameters,
tracks, diagnostics and state, and takes its images from /front/image and /rear/image unless a
topic is named. Frames of different cameras are processed at once, each camera in its turn; where
the parameter threads is 0, they share the cores.
Params files may have the keys /front/cfrnet, /rear/cfrnet and /** for all.

Exit code: 0 after SIGINT or SIGTERM, 1 if no camera can start. A camera that cannot start says why
in the log and in its diagnostics, and can be configured again; the others run.
"""

_NAME = re.compile(r'[A-Za-z_]\w*(/[A-Za-z_]\w*)*')


@dataclass(frozen=True)
class Camera:
    """A camera of the command line.

    Attributes:
        namespace: Namespace of its node, with a leading slash.
        topic: Topic of its images; '' for `image` in the namespace.

    """

    namespace: str
    topic: str = ''

    def arguments(self) -> list[str]:
        """Return the arguments of its node, which win over those of the whole process."""
        words = ['--ros-args', '-r', f'__ns:={self.namespace}']
        return [*words, '-r', f'image:={self.topic}'] if self.topic else words


def parse(words: Sequence[str]) -> tuple[list[Camera], int, list[str]]:
    """Parse a command line.

    Args:
        words: Command line without the program's name.

    Returns:
        Cameras; number of frames that are processed at once, 0 for one on each core; words from
        --ros-args on.

    Raises:
        SystemExit: The command line is wrong (code 2), or it asks for help (code 0).

    """
    at = list(words).index('--ros-args') if '--ros-args' in words else len(words)
    parser = argparse.ArgumentParser(
        prog='cfrnet-cameras',
        description=DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument('camera', nargs='+', metavar='NAME[=TOPIC]',
        help='namespace of a camera, and the topic of its images')  # fmt: skip
    parser.add_argument('--at-once', type=int, default=0, metavar='N',
        help='number of frames that are processed at once (default: one on each core)')  # fmt: skip
    given = parser.parse_args(list(words[:at]))
    if given.at_once < 0:
        parser.error('--at-once must be 0 or above')
    cameras = []
    for text in given.camera:
        name, _, topic = text.partition('=')
        name = name.strip('/')
        if not _NAME.fullmatch(name):
            parser.error(f'{text!r}: a camera is a name of letters, digits and _, such as front')
        cameras.append(Camera(f'/{name}', topic))
    twice = {c.namespace for c in cameras if sum(c.namespace == o.namespace for o in cameras) > 1}
    if twice:
        parser.error(f'two cameras have the name {", ".join(sorted(twice))}')
    return cameras, given.at_once, list(words[at:])


class _Cameras(Session):
    """A process with a node for each camera; each has a thread and an executor of its own."""

    def __init__(self, cameras: Sequence[Camera], at_once: int, ros_words: Sequence[str]) -> None:
        super().__init__('cfrnet-cameras', ros_words)
        self._cameras = list(cameras)
        self._at_once = at_once or os.cpu_count() or 1
        self._stop = threading.Event()
        self._lives: list[NodeLife] = []
        self._lock = threading.Lock()
        self._failed = 0

    def stop(self) -> None:
        """Ask all nodes to end."""
        self._stop.set()
        for life in self._lives:
            life.stop()

    def run(self) -> None:
        """Run the nodes until `stop` is called or none could be started."""
        import rclpy
        from rclpy.signals import SignalHandlerOptions

        from cfrnet_ros.node.given_arguments import unmatched_files
        from cfrnet_ros.node.shared import Shared
        from cfrnet_ros.node.start_errors import check_arguments
        from cfrnet_ros.node.transport import NODE_PROFILE, choose_profile
        from cfrnet_ros.node.turns import Turns

        check_arguments(self.words)
        choose_profile(NODE_PROFILE)
        rclpy.init(args=self.words, signal_handler_options=SignalHandlerOptions.NO)
        try:
            turns = Turns(self._at_once)
            shared = Shared(turns, len(self._cameras), os.cpu_count() or 1)
            nodes = [self._make(camera, shared) for camera in self._cameras]
            names = [node.get_fully_qualified_name() for node in nodes]
            for warning in unmatched_files(self.words, names):
                nodes[0].get_logger().warning(warning)
            self._lives = [NodeLife(node) for node in nodes]
            if self._stop.is_set():
                self.stop()
            threads = [
                threading.Thread(target=self._live, args=each, name=name, daemon=True)
                for name, *each in zip(names, nodes, self._lives)
            ]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            self.exit_code = int(self._failed == len(self._cameras))
        finally:
            if self.clean:
                rclpy.try_shutdown()

    def _make(self, camera: Camera, shared: Shared) -> RestorerNode:
        from cfrnet_ros.node.restorer_node import RestorerNode

        return RestorerNode(shared, cli_args=camera.arguments())

    def _live(self, node: RestorerNode, life: NodeLife) -> None:
        """Run one node; nothing that happens here reaches the others."""
        clean = False
        try:
            if not life.start():
                node.get_logger().error(
                    'this camera did not start, for the reason above; the others go on, and a'
                    ' lifecycle manager can configure it again'
                )
                self._end_if_all_failed()
            # Also the parameters and the lifecycle of a node that did not start can be asked for.
            life.spin()
            clean = life.close()
        except Exception:
            node.get_logger().fatal(f'this camera ends: {traceback.format_exc().strip()}')
        self.clean = self.clean and clean

    def _end_if_all_failed(self) -> None:
        """Ask all nodes to end once each of them has failed to start."""
        with self._lock:
            self._failed += 1
            if self._failed == len(self._cameras):
                self.stop()


def main(args: Sequence[str] | None = None) -> int:
    """Run the nodes until SIGINT or SIGTERM.

    Args:
        args: Command line without the program's name; None for that of `sys.argv`.

    Returns:
        Exit code: 0 after a signal, 1 if no camera could start.

    """
    cameras, at_once, ros_words = parse(list(sys.argv[1:] if args is None else args))
    Session.block_signals()
    return _Cameras(cameras, at_once, ros_words).main()


if __name__ == '__main__':
    sys.exit(main())
