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

"""Makes the messages with pictures for the browser."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from rclpy.serialization import deserialize_message
from sensor_msgs.msg import CompressedImage, Image

from cfrnet_ros.apps.view.frame_source import CameraImage, FaceParts, WholeParts
from cfrnet_ros.apps.view.packets import pack
from cfrnet_ros.node.images.compressed import compressed_size
from cfrnet_ros.node.images.decoder import ImageDecoder
from cfrnet_ros.node.images.errors import ImageError
from cfrnet_ros.vision.preprocessing.align import warp_crop

#: Most pixels of a camera's image, the node's own default of `max_image_px`.
MOST_PX = 1 << 26
#: What begins a JPEG file, and the name in one that a browser would turn (EXIF) and the node not.
_JPEG, _EXIF = b'\xff\xd8', b'Exif\0'


class PictureMaker:
    """Makes the messages of one node. Not thread-safe."""

    def __init__(self) -> None:
        """Start without pictures."""
        self._decoder = ImageDecoder(MOST_PX)
        self._decoded: tuple[int, NDArray[np.uint8]] | None = None

    def whole(self, parts: WholeParts, quality: int) -> bytes:
        """Make the message with a whole frame.

        Args:
            parts: Pictures of the frame.
            quality: Quality of the camera's JPEG, 1..100, where the camera sends none.

        Returns:
            Message of `packets.pack`; `files` names the pictures in it, `camera` and `restored`,
            and `error` says why the camera's image cannot be shown.

        """
        about: dict[str, Any] = {'kind': 'whole', 'files': [], 'error': ''}
        files: list[bytes] = []
        if parts.camera is not None:
            try:
                files.append(self._camera_jpeg(parts.camera, quality))
                about['files'].append('camera')
            except ImageError as error:
                about['error'] = str(error)
        if parts.restored is not None:
            files.append(_file_of(parts.restored))
            about['files'].append('restored')
        return pack(about, files)

    def faces(self, parts: FaceParts, quality: int) -> bytes:
        """Make the message with the faces of a frame.

        Args:
            parts: Faces of the frame.
            quality: Quality of the JPEG of the camera's crops, 1..100.

        Returns:
            Message of `packets.pack`; `faces` has the values of each face and in `files` the names
            of its pictures, `camera` and `restored`.

        """
        frame: NDArray[np.uint8] | None = None
        if parts.camera is not None:
            try:
                frame = self._decode(parts.camera)
            except ImageError:
                frame = None  # The whole frame's message says why.
        files: list[bytes] = []
        faces = []
        for values, crop in zip(parts.faces, parts.crops, strict=True):
            message = deserialize_message(crop, CompressedImage)
            names = ['restored']
            if frame is not None:
                affine = np.array([float(n) for n in values['affine'].split()]).reshape(2, 3)
                before = warp_crop(frame, affine, compressed_size(message)[0])
                files.append(_encode(before, quality))
                names.insert(0, 'camera')
            files.append(bytes(message.data))
            shown = {key: value for key, value in values.items() if key != 'affine'}
            faces.append({'values': shown, 'files': names})
        return pack({'kind': 'faces', 'faces': faces}, files)

    def _camera_jpeg(self, image: CameraImage, quality: int) -> bytes:
        if image.compressed:
            file = _file_of(image.data)
            if file.startswith(_JPEG) and _EXIF not in file[:64]:
                return file
        return _encode(self._decode(image), quality)

    def _decode(self, image: CameraImage) -> NDArray[np.uint8]:
        # The same frame is often wanted twice: as a whole and for its faces.
        if self._decoded is None or self._decoded[0] != image.stamp_ns or image.stamp_ns == 0:
            kind = CompressedImage if image.compressed else Image
            frame = self._decoder.decode(deserialize_message(image.data, kind))
            self._decoded = (image.stamp_ns, frame)
        return self._decoded[1]


def _file_of(data: bytes) -> bytes:
    return bytes(deserialize_message(data, CompressedImage).data)


def _encode(bgr: NDArray[np.uint8], quality: int) -> bytes:
    _, data = cv2.imencode('.jpg', bgr, [cv2.IMWRITE_JPEG_QUALITY, quality])
    return data.tobytes()
