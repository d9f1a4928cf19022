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

"""Publishes frames as a camera driver does."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from rclpy.node import Node
from rclpy.qos import HistoryPolicy, QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import CameraInfo, CompressedImage, Image
from std_msgs.msg import Header

from cfrnet_ros.apps.camera.intrinsics import of_angle
from cfrnet_ros.apps.media.errors import MediaError
from cfrnet_ros.node.images.messages import to_image_msg, to_jpeg_msg


class CameraNode(Node):
    """Publishes images, raw or compressed, and the camera's intrinsics beside them.

    Publishers are reliable with a depth of 1, so that subscribers of any reliability match.
    """

    def __init__(
        self,
        name: str,
        topic: str,
        frame_id: str,
        jpeg_quality: int = 0,
        calibration: CameraInfo | None = None,
        fov_deg: float = 0.0,
    ) -> None:
        """Create the publishers.

        Args:
            name: Name of the node.
            topic: Topic of the images; compressed ones come on `<topic>/compressed`.
            frame_id: Frame of the camera, for the headers.
            jpeg_quality: Quality of JPEG, 1..100, for compressed images; 0 for raw ones.
            calibration: Intrinsics; None takes those of `fov_deg`.
            fov_deg: Horizontal angle of view in degrees, 0 for an unknown one.

        """
        super().__init__(name)
        self._frame_id, self._quality = frame_id, jpeg_quality
        self._calibration, self._fov_deg = calibration, fov_deg
        qos = QoSProfile(
            history=HistoryPolicy.KEEP_LAST, depth=1, reliability=ReliabilityPolicy.RELIABLE
        )
        kind, images = (CompressedImage, f'{topic}/compressed') if jpeg_quality else (Image, topic)
        self._images = self.create_publisher(kind, images, qos)
        beside = f'{topic.rpartition("/")[0]}/camera_info' if '/' in topic else 'camera_info'
        self._infos = self.create_publisher(CameraInfo, beside, qos)
        self.get_logger().info(
            f'publishes {kind.__name__} on {self._images.topic_name} and CameraInfo on'
            f' {self._infos.topic_name}'
        )

    def publish(self, bgr: NDArray[np.uint8]) -> None:
        """Publish a frame with the present time as its stamp.

        Args:
            bgr: (H, W, 3) uint8 BGR frame.

        Raises:
            MediaError: The calibration describes images of another size.

        """
        header = Header(frame_id=self._frame_id, stamp=self.get_clock().now().to_msg())
        height, width = bgr.shape[:2]
        info = self._calibration or of_angle(width, height, self._fov_deg)
        if (info.width, info.height) != (width, height):
            raise MediaError(
                f'the calibration is of {info.width} x {info.height} pixels, the images have'
                f' {width} x {height}'
            )
        info.header = header
        # The intrinsics come first, so that they are known when the image arrives.
        self._infos.publish(info)
        if self._quality:
            self._images.publish(to_jpeg_msg(bgr, header, self._quality))
        else:
            self._images.publish(to_image_msg(bgr, header))
