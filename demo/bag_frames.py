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

"""Writes pictures into a bag like a camera driver."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from builtin_interfaces.msg import Time
from numpy.typing import NDArray
from rclpy.serialization import serialize_message
from sensor_msgs.msg import CompressedImage, Image
from std_msgs.msg import Header, String

from cfrnet_ros.replay.bag_reader import COMPRESSED, RAW
from cfrnet_ros.replay.bag_writer import BagWriter

IMAGE_TOPIC = '/dms/image_raw'
TRUTH_TOPIC = '/dms/truth/compressed'
CONDITION_TOPIC = '/dms/condition'
FRAME_ID = 'dms_camera'
#: Any fixed time would do; it keeps the bag the same in every run (2026-01-01 00:00 UTC).
START_NS = 1767225600 * 10**9
_TRUTH_QUALITY = 98


def image_message(picture: NDArray[np.uint8], header: Header) -> Image:
    """Return a message of a picture: (H, W, 3) as bgr8, (H, W) as mono8 (infrared cameras)."""
    height, width = picture.shape[:2]
    message = Image(header=header, height=height, width=width)
    message.encoding = 'bgr8' if picture.ndim == 3 else 'mono8'
    message.step = picture.nbytes // height
    message.data.frombytes(picture.tobytes())
    return message


def jpeg_message(picture: NDArray[np.uint8], header: Header, quality: int) -> CompressedImage:
    """Return a JPEG message of a (H, W, 3) BGR picture (quality 1..100)."""
    _, data = cv2.imencode('.jpg', picture, [cv2.IMWRITE_JPEG_QUALITY, quality])
    message = CompressedImage(header=header, format='bgr8; jpeg compressed bgr8')
    message.data.frombytes(data.tobytes())
    return message


class CameraBag(BagWriter):
    """A bag with the camera's pictures, those of a perfect camera, and the conditions."""

    def __init__(self, path: str | Path) -> None:
        """Create the bag with its three topics.

        Args:
            path: Folder to create; it must not exist yet.

        Raises:
            BagError: The folder exists or cannot be created.

        """
        super().__init__(path)
        self.add_topic(IMAGE_TOPIC, RAW)
        self.add_topic(TRUTH_TOPIC, COMPRESSED)
        self.add_topic(CONDITION_TOPIC, 'std_msgs/msg/String')

    def __enter__(self) -> CameraBag:
        """Return the bag itself."""
        return self

    def label(self, time_ns: int, text: str) -> None:
        """Name the condition of the camera from a time on (nanoseconds since the epoch)."""
        self.write_canonical(CONDITION_TOPIC, time_ns, serialize_message(String(data=text)))

    def frame(
        self,
        time_ns: int,
        seen: NDArray[np.uint8],
        truth: NDArray[np.uint8] | None,
        stamp_ns: int | None = None,
    ) -> None:
        """Append a frame.

        Args:
            time_ns: Time of recording, in nanoseconds since the epoch; must not decrease.
            seen: (H, W, 3) BGR or (H, W) grey uint8 picture from the camera.
            truth: (H, W, 3) uint8 BGR picture of a perfect camera, or None.
            stamp_ns: Header stamp in nanoseconds, if it is not the time of recording.

        """
        sec, nanosec = divmod(time_ns if stamp_ns is None else stamp_ns, 10**9)
        header = Header(stamp=Time(sec=sec, nanosec=nanosec), frame_id=FRAME_ID)
        self.write_canonical(IMAGE_TOPIC, time_ns, serialize_message(image_message(seen, header)))
        if truth is not None:
            message = jpeg_message(truth, header, _TRUTH_QUALITY)
            self.write_canonical(TRUTH_TOPIC, time_ns, serialize_message(message))
