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

"""Entry point of the executable `restorer`."""

from __future__ import annotations

import sys
import threading
from collections.abc import Sequence

from cfrnet_ros.node.process import NodeLife, Session

DESCRIPTION = """\
Restores the faces in a stream of images, as a ROS 2 lifecycle node.

Topics and parameters are set as usual in ROS 2, for example:

  restorer --ros-args -r image:=/camera/image_raw -p cycles:=3 --params-file dms.yaml

Several cameras in one process: cfrnet-cameras --help

Exit code: 0 after SIGINT or SIGTERM, 1 if the node cannot start. If the parameter autostart
is true, a failure to configure or activate also ends the node with exit code 1.
"""


class _OneNode(Session):
    """A process with one node, which ends with it."""

    def __init__(self, args: Sequence[str] | None) -> None:
        super().__init__('restorer', args)
        self._args = None if args is None else list(args)
        self._stop = threading.Event()
        self._life: NodeLife | None = None

    def stop(self) -> None:
        """Ask the node to end."""
        self._stop.set()
        if self._life is not None:
            self._life.stop()

    def run(self) -> None:
        """Run the node until `stop` is called or it cannot start."""
        import rclpy
        from rclpy.signals import SignalHandlerOptions

        from cfrnet_ros.node.given_arguments import unmatched_files
        from cfrnet_ros.node.restorer_node import RestorerNode
        from cfrnet_ros.node.start_errors import check_arguments
        from cfrnet_ros.node.transport import NODE_PROFILE, choose_profile

        check_arguments(self.words)
        choose_profile(NODE_PROFILE)
        rclpy.init(args=self._args, signal_handler_options=SignalHandlerOptions.NO)
        try:
            node = RestorerNode()
            for warning in unmatched_files(self.words, [node.get_fully_qualified_name()]):
                node.get_logger().warning(warning)
            life = self._life = NodeLife(node)
            if self._stop.is_set():
                life.stop()
            if not life.start():
                node.get_logger().fatal('autostart failed for the reason above; the node ends')
                self.exit_code = 1
            else:
                life.spin()
            self.clean = life.close(finish=self.exit_code == 0)
        finally:
            if self.clean:
                rclpy.try_shutdown()


def main(args: Sequence[str] | None = None) -> int:
    """Run the node until SIGINT or SIGTERM.

    Args:
        args: Command line without the program's name; None for that of `sys.argv`.

    Returns:
        Exit code: 0 after a signal, 1 if the node could not start.

    """
    argv = list(sys.argv[1:] if args is None else args)
    if '-h' in argv or '--help' in argv:
        print(DESCRIPTION)
        return 0
    Session.block_signals()
    return _OneNode(args).main()


if __name__ == '__main__':
    sys.exit(main())
