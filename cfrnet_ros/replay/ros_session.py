"""Runs a ROS node for the duration of a replay, spun in the background."""

from __future__ import annotations

import contextlib
import threading
from contextlib import AbstractContextManager

import rclpy
from rclpy.context import Context
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from rclpy.node import Node
from rclpy.signals import SignalHandlerOptions

from cfrnet_ros.replay.dds_environment import prepare_environment


class RosSession(AbstractContextManager['RosSession']):
    """Holds a node whose callbacks run in a thread; to be used in a `with` statement.

    The caller handles signals, so that Ctrl-C is an ordinary KeyboardInterrupt.
    """

    def __init__(self, name: str) -> None:
        """Start the node.

        Args:
            name: Name of the node.

        """
        prepare_environment()
        self._context = Context()
        rclpy.init(context=self._context, signal_handler_options=SignalHandlerOptions.NO)
        self.node = Node(name, context=self._context, enable_rosout=False)
        self._executor = SingleThreadedExecutor(context=self._context)
        self._executor.add_node(self.node)
        self._thread = threading.Thread(target=self._spin, name=f'{name}_spin', daemon=True)
        self._thread.start()

    def _spin(self) -> None:
        with contextlib.suppress(ExternalShutdownException):
            self._executor.spin()

    def __exit__(self, *exc: object) -> None:
        """Stop the thread and destroy the node."""
        self._executor.shutdown(timeout_sec=2.0)
        self._thread.join(2.0)
        self.node.destroy_node()
        self._context.try_shutdown()
