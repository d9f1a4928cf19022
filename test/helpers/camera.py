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

"""A camera driver in a process of its own, with the middleware's default settings."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator

#: Publishes grey images of the size, rate and reliability in its arguments until it is killed.
_DRIVER = """
import sys, time
from array import array
import rclpy
from rclpy.qos import QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import Image
topic, width, height, rate, reliability = sys.argv[1:]
rclpy.init()
node = rclpy.create_node('camera')
qos = QoSProfile(depth=1, reliability=ReliabilityPolicy[reliability.upper()])
publisher = node.create_publisher(Image, topic, qos)
msg = Image(width=int(width), height=int(height), step=3 * int(width), encoding='bgr8')
msg.data = array('B', bytes([128]) * (msg.step * msg.height))
while True:
    msg.header.stamp = node.get_clock().now().to_msg()
    publisher.publish(msg)
    time.sleep(1 / float(rate))
"""


def plain_environment(domain: int) -> dict[str, str]:
    """Return the environment of a terminal in which nothing was set for Fast DDS."""
    ours = ('FASTDDS_', 'FASTRTPS_', 'ROS_LOCALHOST', 'ROS_AUTOMATIC_DISCOVERY')
    variables = {k: v for k, v in os.environ.items() if not k.startswith(ours)}
    return {**variables, 'ROS_DOMAIN_ID': str(domain)}


@contextlib.contextmanager
def camera(
    domain: int,
    topic: str,
    size: tuple[int, int] = (1920, 1080),
    rate_hz: float = 10.0,
    reliability: str = 'best_effort',
) -> Iterator[None]:
    """Run a camera driver.

    Args:
        domain: ROS domain.
        topic: Topic of the images.
        size: Width and height in pixels.
        rate_hz: Images per second.
        reliability: 'best_effort' or 'reliable'.

    """
    arguments = [topic, *map(str, size), str(rate_hz), reliability]
    process = subprocess.Popen(
        [sys.executable, '-c', _DRIVER, *arguments], env=plain_environment(domain)
    )
    try:
        yield
    finally:
        process.kill()
        process.wait()
