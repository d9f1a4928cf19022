"""Entry point of the executable `restorer`."""

from __future__ import annotations

import os
import signal
import sys
import threading
import traceback
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cfrnet_ros.node.restorer_node import RestorerNode

DESCRIPTION = """\
Restores the faces in a stream of images, as a ROS 2 lifecycle node.

Topics and parameters are set as usual in ROS 2, for example:

  restorer --ros-args -r image:=/camera/image_raw -p cycles:=3 --params-file dms.yaml

Exit code: 0 after SIGINT or SIGTERM, 1 if the node cannot start. If the parameter autostart
is true, a failure to configure or activate also ends the node with exit code 1.
"""

#: Longest time in seconds that an ending process waits for inference in progress. It is
#: shorter than the 5 s after which `ros2 launch` sends the next signal.
END_TIMEOUT_S = 3.0

_END_SIGNALS = (signal.SIGINT, signal.SIGTERM)
#: Signal that the node's thread sends to the main thread when the node ends by itself.
_DONE_SIGNAL = signal.SIGUSR1


class _Session:
    """Runs the node in a thread of its own, so that signals never interrupt ROS code.

    rclpy's own signal handlers end `spin` with an exception at an arbitrary line. Here the main
    thread waits for signals, and the node is asked to end between two callbacks.
    """

    def __init__(self, args: Sequence[str] | None) -> None:
        self._args = None if args is None else list(args)
        self._words = sys.argv[1:] if args is None else list(args)
        self._stop = threading.Event()
        self._wake = lambda: None
        self._main_thread = threading.get_ident()
        self.exit_code = 0
        self.clean = True
        self.thread = threading.Thread(target=self._run, name='cfrnet_node', daemon=True)

    def stop(self) -> None:
        """Ask the node to end."""
        self._stop.set()
        self._wake()

    def _run(self) -> None:
        try:
            self._run_node()
        except Exception as error:
            # Wrong arguments and unreadable params files end up here.
            from cfrnet_ros.node.start_errors import explain

            text = explain(error, self._words)
            print(f'restorer: cannot start: {text}', file=sys.stderr)
            if os.environ.get('CFRNET_TRACEBACK'):
                traceback.print_exc()
            self.exit_code = 1
        finally:
            signal.pthread_kill(self._main_thread, _DONE_SIGNAL)

    def _run_node(self) -> None:
        import rclpy
        from rclpy.executors import SingleThreadedExecutor
        from rclpy.signals import SignalHandlerOptions

        from cfrnet_ros.node.given_arguments import unmatched_files
        from cfrnet_ros.node.restorer_node import RestorerNode
        from cfrnet_ros.node.start_errors import check_arguments
        from cfrnet_ros.node.transport import NODE_PROFILE, choose_profile

        check_arguments(self._words)
        choose_profile(NODE_PROFILE)
        rclpy.init(args=self._args, signal_handler_options=SignalHandlerOptions.NO)
        try:
            node = RestorerNode()
            for warning in unmatched_files(self._words, node.get_fully_qualified_name()):
                node.get_logger().warning(warning)
            executor = SingleThreadedExecutor()
            executor.add_node(node)
            # After `executor.wake`, `spin_once` would check its entities again and then wait for
            # another second; the guard condition makes it return.
            self._wake = node.create_guard_condition(lambda: None).trigger
            if node.autostart and not self._stop.is_set():
                self.exit_code = self._start(node)
            while not self._stop.is_set() and self.exit_code == 0 and rclpy.ok():
                try:
                    executor.spin_once(timeout_sec=1.0)
                except Exception:
                    node.get_logger().error(f'a callback failed: {traceback.format_exc().strip()}')
            self._wake = lambda: None
            if self.exit_code == 0:
                node.finish()
            self.clean = node.wait_for_worker(END_TIMEOUT_S)
            if self.clean:
                executor.shutdown()
                node.destroy_node()
        finally:
            if self.clean:
                rclpy.try_shutdown()

    def _start(self, node: RestorerNode) -> int:
        from rclpy.lifecycle import TransitionCallbackReturn

        for transition in (node.trigger_configure, node.trigger_activate):
            if transition() != TransitionCallbackReturn.SUCCESS:
                node.get_logger().fatal('autostart failed for the reason above; the node ends')
                return 1
        return 0


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
    waited_for = {*_END_SIGNALS, _DONE_SIGNAL}
    # The signals are blocked before any thread starts, since threads inherit the mask, and before
    # the slow imports, since Ctrl-C during those would end in a traceback.
    signal.pthread_sigmask(signal.SIG_BLOCK, waited_for)
    session = _Session(args)
    session.thread.start()
    received = signal.sigwait(waited_for)
    if received in _END_SIGNALS:
        session.stop()
        # Loading a model cannot be interrupted, so the process ends without waiting for it.
        session.thread.join(END_TIMEOUT_S + 1.0)
    else:
        session.thread.join()
    if session.thread.is_alive() or not session.clean:
        # Native code is still running and would crash if the interpreter were shut down.
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(session.exit_code)
    return session.exit_code


if __name__ == '__main__':
    sys.exit(main())
