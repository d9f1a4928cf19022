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
