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

"""Camera intrinsics (sensor_msgs/CameraInfo) of the source and of the crops."""

from __future__ import annotations

from threading import Lock

import numpy as np
from numpy.typing import NDArray
from rclpy.node import Node
from sensor_msgs.msg import CameraInfo
from std_msgs.msg import Header

from cfrnet_ros.node.throttled_log import ThrottledLog
from cfrnet_ros.vision.views.crop_camera import crop_camera


def camera_info_topic(node: Node, image_topic: str) -> str:
    """Return the name of the topic with the camera's intrinsics.

    This is the topic that `camera_info` is remapped to. Without a remapping it is the topic beside
    the image, as in image_transport: `/dms/camera_info` beside `/dms/image_raw`.

    Args:
        node: Node whose `camera_info` may be remapped.
        image_topic: Resolved name of the topic with the images.

    """
    resolved = str(node.resolve_topic_name('camera_info'))
    if resolved != f'{node.get_namespace().rstrip("/")}/camera_info':
        return resolved
    base = image_topic.removesuffix('/compressed')
    return f'{base.rpartition("/")[0]}/camera_info'


class CameraInfoHolder:
    """Keeps the newest intrinsics. The executor thread writes them, the worker reads them."""

    def __init__(self, log: ThrottledLog) -> None:
        """Start without intrinsics; warnings go to `log`."""
        self._log = log
        self._lock = Lock()
        self._newest: CameraInfo | None = None

    def take(self, msg: CameraInfo) -> None:
        """Keep a message; it applies to all images until the next message."""
        with self._lock:
            self._newest = msg

    def clear(self) -> None:
        """Forget the intrinsics, since the next images may come from another camera."""
        with self._lock:
            self._newest = None

    def of_image(self, width: int, height: int) -> CameraInfo | None:
        """Return the intrinsics that apply to images of this size.

        Args:
            width: Width of the images in pixels.
            height: Height of the images in pixels.

        Returns:
            Newest message. None if no message has arrived, if the camera is not calibrated
            (`k[0]` is 0), or if the message describes images of another size; the last case is
            logged as a warning.

        """
        with self._lock:
            info = self._newest
        if info is None or info.k[0] == 0.0:
            return None
        if (info.width, info.height) != (width, height):
            self._log.warn(
                'camera_info',
                '~/face/camera_info is not published: camera_info describes'
                f' {info.width}x{info.height} images, but the images are {width}x{height}; publish'
                ' the intrinsics of this image size',
            )
            return None
        return info


def crop_camera_info(
    info: CameraInfo, affine: NDArray[np.float64], size: int, header: Header
) -> CameraInfo:
    """Describe a camera that would have taken the crop; `vision.views.crop_camera` derives it.

    Args:
        info: Intrinsics of the frame's camera.
        affine: (2, 3) matrix from frame pixels to crop pixels.
        size: Side length of the crop in pixels.
        header: Header of the source image.

    Returns:
        CameraInfo of the crop. `roi` and binning keep their defaults, since a turned and scaled
        crop is not a rectangle of the sensor.

    """
    camera = crop_camera(info.k, info.d, info.r, info.p, info.distortion_model, affine)
    msg = CameraInfo(header=header, width=size, height=size)
    msg.distortion_model = info.distortion_model
    msg.k = camera.k.ravel().tolist()
    msg.d = camera.d.tolist()
    msg.r = camera.r.ravel().tolist()
    msg.p = camera.p.ravel().tolist()
    return msg
