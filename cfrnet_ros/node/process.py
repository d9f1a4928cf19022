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

"""Life of a process with nodes: signals, spinning and an orderly end."""

from __future__ import annotations

import os
import signal
import sys
import threading
import traceback
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cfrnet_ros.node.restorer_node import RestorerNode

#: Longest time in seconds that an ending process waits for inference in progress. It is
#: shorter than the 5 s after which `ros2 launch` sends the next signal.
END_TIMEOUT_S = 3.0

_END_SIGNALS = (signal.SIGINT, signal.SIGTERM)
#: Signal that the session's thread sends to the main thread when it ends by itself.
_DONE_SIGNAL = signal.SIGUSR1


class NodeLife:
    """One node with an executor of its own, from its start to its end.

    `run` belongs to one thread, `stop` may be called by any.
    """

    def __init__(self, node: RestorerNode) -> None:
        """Give the node an executor.

        Args:
            node: Node, not yet added to an executor.

        """
        from rclpy.executors import SingleThreadedExecutor

        self._node = node
        self._executor = SingleThreadedExecutor(context=node.context)
        self._executor.add_node(node)
        self._stop = threading.Event()
        # After `executor.wake`, `spin_once` would check its entities again and then wait for
        # another second; the guard condition makes it return.
        self._wake = node.create_guard_condition(lambda: None).trigger

    def stop(self) -> None:
        """Ask the node to end between two callbacks."""
        self._stop.set()
        self._wake()

    def start(self) -> bool:
        """Configure and activate the node, if its parameter `autostart` is true.

        Returns:
            Whether that succeeded; the node has logged the reason if not.

        """
        from rclpy.lifecycle import TransitionCallbackReturn

        if not self._node.autostart:
            return True
        for transition in (self._node.trigger_configure, self._node.trigger_activate):
            if self._stop.is_set():
                break
            if transition() != TransitionCallbackReturn.SUCCESS:
                return False
        return True

    def spin(self) -> None:
        """Run the node's callbacks until `stop` is called; one that raises is logged."""
        while not self._stop.is_set() and self._node.context.ok():
            try:
                self._executor.spin_once(timeout_sec=1.0)
            except Exception:
                text = traceback.format_exc().strip()
                self._node.get_logger().error(f'a callback failed: {text}')

    def close(self, finish: bool = True) -> bool:
        """End the node.

        Args:
            finish: Whether the node is shut down to its finalized state first.

        Returns:
            Whether the worker ended in time. If not, native code still runs, and the process must
            not be ended in an orderly way.

        """
        self._wake = lambda: None
        if finish:
            self._node.finish()
        clean = self._node.wait_for_worker(END_TIMEOUT_S)
        if clean:
            self._executor.shutdown()
            self._node.destroy_node()
        return clean


class Session(ABC):
    """Runs nodes in threads of their own, so that signals never interrupt ROS code.

    rclpy's own signal handlers end `spin` with an exception at an arbitrary line. Here the main
    thread waits for signals, and the nodes are asked to end between two callbacks.

    Attributes:
        words: Command line without the program's name.
        exit_code: Exit code of the process.
        clean: Whether nothing runs any more once the thread has ended.
        thread: Thread in which `run` runs.

    """

    def __init__(self, program: str, args: Sequence[str] | None) -> None:
        """Create the session; `main` runs it.

        Args:
            program: Name of the program for messages.
            args: Command line without the program's name; None for that of `sys.argv`.

        """
        self._program = program
        self.words = list(sys.argv[1:] if args is None else args)
        self._main_thread = threading.get_ident()
        self.exit_code = 0
        self.clean = True
        self.thread = threading.Thread(target=self._run, name='cfrnet_node', daemon=True)

    @abstractmethod
    def run(self) -> None:
        """Run the nodes until `stop` is called; sets `exit_code` and `clean`."""

    @abstractmethod
    def stop(self) -> None:
        """Ask the nodes to end; called by another thread than `run`."""

    def _run(self) -> None:
        try:
            self.run()
        except Exception as error:
            # Wrong arguments and unreadable params files end up here.
            from cfrnet_ros.node.start_errors import explain

            text = explain(error, self.words)
            print(f'{self._program}: cannot start: {text}', file=sys.stderr)
            if os.environ.get('CFRNET_TRACEBACK'):
                traceback.print_exc()
            self.exit_code = 1
        finally:
            signal.pthread_kill(self._main_thread, _DONE_SIGNAL)

    @classmethod
    def block_signals(cls) -> None:
        """Block the signals that `main` waits for.

        It must be called before any thread starts, since threads inherit the mask, and before the
        slow imports, since Ctrl-C during those would end in a traceback.
        """
        signal.pthread_sigmask(signal.SIG_BLOCK, {*_END_SIGNALS, _DONE_SIGNAL})

    def main(self) -> int:
        """Run the session until SIGINT, SIGTERM or its own end; returns the exit code."""
        self.thread.start()
        received = signal.sigwait({*_END_SIGNALS, _DONE_SIGNAL})
        if received in _END_SIGNALS:
            self.stop()
            # Loading a model cannot be interrupted, so the process ends without waiting for it.
            self.thread.join(END_TIMEOUT_S + 1.0)
        else:
            self.thread.join()
        if self.thread.is_alive() or not self.clean:
            # Native code is still running and would crash if the interpreter were shut down.
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(self.exit_code)
        return self.exit_code
