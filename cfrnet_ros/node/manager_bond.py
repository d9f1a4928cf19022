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

"""A bond with a lifecycle manager, as that of Nav2 forms one with each node that it activates.

A bond is two nodes that send each other heartbeats on one topic under one id. Source: bondcpp of
https://github.com/ros/bond_core (branch ros2); Nav2's nodes form it on `bond` in their namespace,
with their own name as the id (nav2_ros_common, `LifecycleNode::createBond`).
"""

from __future__ import annotations

import uuid
from typing import Any

from rclpy.clock import Clock, ClockType
from rclpy.lifecycle import LifecycleNode
from rclpy.qos import QoSProfile

try:
    from bond.msg import Status
except ImportError:  # The package bond is optional: the Python package index lacks it.
    Status = None

BOND_TOPIC = 'bond'

#: Time between heartbeats in seconds, and the time without one after which the other side may take
#: this node for dead: Nav2's values.
HEARTBEAT_PERIOD_S = 0.25
HEARTBEAT_TIMEOUT_S = 4.0

#: Depths of the queues in bondcpp.
_PUBLISHER_DEPTH, _SUBSCRIPTION_DEPTH = 5, 100


class MissingBondError(Exception):
    """The parameter `bond` is 'on', but the package bond is not installed."""

    def __init__(self) -> None:
        """Name cause and remedy."""
        super().__init__(
            "bond is 'on', but the ROS package bond is not installed: install it (apt install"
            ' ros-$ROS_DISTRO-bond), or set bond to off and bond_timeout of the lifecycle manager'
            ' to 0.0'
        )


def bond_wanted(mode: str, autostart: bool) -> bool:
    """Return whether the node has a bond.

    Args:
        mode: Value of the parameter `bond`: 'auto', 'on' or 'off'.
        autostart: Value of the parameter `autostart`; without it, a lifecycle manager is expected.

    Raises:
        MissingBondError: The package bond is missing, and `mode` asks for it.

    """
    if mode == 'on' and Status is None:
        raise MissingBondError
    return Status is not None and (mode == 'on' or (mode == 'auto' and not autostart))


class ManagerBond:
    """This node's side of the bond.

    Heartbeats are sent from `form` until `dissolve`, or until the manager dissolves the bond. That
    the manager's heartbeats stay away has no effect, as with Nav2's own nodes: the node goes on
    working when its manager has died. All methods must be called from the executor thread.
    """

    def __init__(self, node: LifecycleNode) -> None:
        """Create the topics; nothing is sent before `form`.

        Args:
            node: Node that is managed.

        """
        self._node = node
        self._name = str(node.get_name())
        self._instance = ''
        self._manager = ''
        self._timer: Any = None
        self._publisher = node.create_publisher(
            Status, BOND_TOPIC, QoSProfile(depth=_PUBLISHER_DEPTH)
        )
        self._subscription = node.create_subscription(
            Status, BOND_TOPIC, self._take, QoSProfile(depth=_SUBSCRIPTION_DEPTH)
        )

    @property
    def formed(self) -> bool:
        """Whether both sides have seen each other and neither has dissolved the bond."""
        return self._timer is not None and bool(self._manager)

    def form(self) -> None:
        """Begin with heartbeats, as a new side of the bond."""
        self.dissolve()
        self._instance, self._manager = str(uuid.uuid4()), ''
        # A steady clock, since the bond must hold while simulated time stands still.
        self._timer = self._node.create_timer(
            HEARTBEAT_PERIOD_S,
            lambda: self._send(True),
            clock=Clock(clock_type=ClockType.STEADY_TIME),
        )
        self._send(True)

    def dissolve(self) -> None:
        """Tell the manager that this node leaves the bond, and end the heartbeats."""
        if self._timer is not None:
            self._node.destroy_timer(self._timer)
            self._timer = None
            self._send(False)

    def destroy(self) -> None:
        """Dissolve the bond and destroy the topics."""
        self.dissolve()
        self._node.destroy_subscription(self._subscription)
        self._node.destroy_publisher(self._publisher)

    def _send(self, active: bool) -> None:
        msg = Status(
            id=self._name,
            instance_id=self._instance,
            active=active,
            heartbeat_timeout=HEARTBEAT_TIMEOUT_S,
            heartbeat_period=HEARTBEAT_PERIOD_S,
        )
        msg.header.stamp = self._node.get_clock().now().to_msg()
        self._publisher.publish(msg)

    def _take(self, msg: Any) -> None:
        if self._timer is None or msg.id != self._name or msg.instance_id == self._instance:
            return
        log = self._node.get_logger()
        if not self._manager:
            if not msg.active:
                # The end of an earlier bond.
                return
            self._manager = str(msg.instance_id)
            log.info(f'bond with the lifecycle manager formed on {self._subscription.topic_name}')
        elif msg.instance_id != self._manager:
            log.error(
                f'more than one lifecycle manager wants the bond {self._name!r} on'
                f' {self._subscription.topic_name}; the first one has it',
                throttle_duration_sec=10.0,
            )
            return
        if not msg.active:
            log.warning('the lifecycle manager has dissolved the bond; the node goes on working')
            # This is also the answer that the manager waits for.
            self.dissolve()
