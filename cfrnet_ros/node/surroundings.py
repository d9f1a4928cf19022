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

"""What is wrong around the node: seen in the ROS graph, in what arrives and in what was given."""

from __future__ import annotations

from collections.abc import Iterable

from rclpy.node import Node

from cfrnet_ros.node.camera_info import camera_info_topic
from cfrnet_ros.node.inputs import image_topics
from cfrnet_ros.node.monitor import Report
from cfrnet_ros.node.parameters import Settings
from cfrnet_ros.node.publisher_check import explain_silence
from cfrnet_ros.node.throttled_log import ThrottledLog
from cfrnet_ros.node.transport import Transport

#: Time in seconds after which the same finding is logged again.
REPEAT_S = 30.0
#: Lost images as a share of those sent above which they are warned of. Single losses are common
#: while processes discover each other.
LOST_WARN_SHARE = 0.05


class Surroundings:
    """Looks once a second for causes of trouble outside the node; logs them and returns them."""

    def __init__(self, node: Node, transport: Transport, log: ThrottledLog) -> None:
        """Keep what is looked at.

        Args:
            node: Node whose surroundings are meant.
            transport: How the images reach the node.
            log: Log of the findings.

        """
        self._node = node
        self._transport = transport
        self._log = log

    def check_qos_overrides(self, names: Iterable[str], image_transport: str) -> None:
        """Warn of overrides of the quality of service that fit no topic of the node.

        Args:
            names: Names of the parameters, such as 'qos_overrides./image.subscription.depth'.
            image_transport: Transport of the images, 'raw' or 'compressed'.

        """
        images = image_topics(self._node, image_transport)
        topics = {publisher.topic_name for publisher in self._node.publishers}
        topics |= {*images, *(camera_info_topic(self._node, image) for image in images)}
        for name in names:
            topic = name.split('.')[1] if name.count('.') >= 2 else ''
            if topic not in topics:
                self._node.get_logger().warning(
                    f'{name} has no effect: this node has no topic {topic!r}; its topics are'
                    f' {", ".join(sorted(topics))}'
                )

    def silence(self, settings: Settings, report: Report) -> str:
        """Return and log the reason why no image arrives; return '' while images arrive."""
        silent_s = report.active_s if report.since_image_s is None else report.since_image_s
        if silent_s <= settings.diagnostics_no_image_error_s:
            return ''
        reason = explain_silence(self._node, settings.image_transport, self._transport.remedy)
        # The kind includes the reason, so that another reason is logged at once.
        self._log.warn(f'silence: {reason}', f'no image for {silent_s:.0f} s: {reason}', REPEAT_S)
        return reason

    def warnings(self, settings: Settings, report: Report) -> list[str]:
        """Return and log further findings.

        Args:
            settings: Current parameters.
            report: Current figures of the monitor.

        """
        found = {
            'lost': self._losses(settings, report),
            'namesake': self._namesakes(),
        }
        for kind, text in found.items():
            if text:
                self._log.warn(kind, text, REPEAT_S)
        return [text for text in found.values() if text]

    def _losses(self, settings: Settings, report: Report) -> str:
        lost, sent = report.recent_lost, report.recent_lost + report.recent_received
        if lost < 2 or lost <= LOST_WARN_SHARE * sent:
            return ''
        window_s = min(settings.diagnostics_window_s, report.active_s)
        return (
            f'{lost} of {sent} images in the last {window_s:.0f} s were lost on the way by'
            f' {self._transport.name}: {self._transport.remedy}'
        )

    def _namesakes(self) -> str:
        own = (self._node.get_name(), self._node.get_namespace())
        number = self._node.get_node_names_and_namespaces().count(own)
        if number < 2:
            return ''
        return (
            f'{number} nodes are called {self._node.get_fully_qualified_name()}, so parameters,'
            ' services and topics are mixed up: give each a name of its own, as in -r'
            ' __node:=cfrnet_2 (one that was killed is listed for up to 20 s)'
        )
