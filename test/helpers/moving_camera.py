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

"""A camera whose frames can be told apart, published by a peer of the test."""

from __future__ import annotations

import threading
from array import array
from typing import Any

import cv2
import numpy as np
from node_harness import Peer, bgr8_message
from pictures import Frame
from sensor_msgs.msg import CompressedImage, Image
from skimage.data import astronaut

PERIOD_S = 0.1
#: Side of the grey square in the corner, and how much its level grows from frame to frame.
MARK_PX, MARK_STEP, MARKS = 48, 12, 20


class MovingCamera:
    """Publishes the astronaut Eileen Collins (NASA, public domain), ten times a second.

    A grey square in the upper left corner has another level in each of `MARKS` frames. To be used
    in a `with` statement.
    """

    def __init__(
        self,
        peer: Peer,
        topic: str = '/image',
        compressed: bool = False,
        height: int = 512,
        people: int = 1,
    ) -> None:
        self._peer, self._compressed = peer, compressed
        photo = cv2.resize(astronaut()[..., ::-1], (height, height), interpolation=cv2.INTER_AREA)
        # The second looks the other way.
        views = (photo, photo[:, ::-1])[:people]
        self._frame = np.ascontiguousarray(np.hstack(views))
        self._publisher = peer.publisher(
            topic, CompressedImage if compressed else Image, match=False
        )
        self.sent = 0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> MovingCamera:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()
        self._peer.node.destroy_publisher(self._publisher)

    def _run(self) -> None:
        while not self._stop.wait(PERIOD_S):
            frame = self._frame.copy()
            frame[:MARK_PX, :MARK_PX] = MARK_STEP * (self.sent % MARKS)
            message: Any = bgr8_message(frame)
            if self._compressed:
                message = CompressedImage(format='jpeg')
                data: array[int] = array('B')
                data.frombytes(cv2.imencode('.jpg', frame)[1].tobytes())
                message.data = data
            message.header.stamp = self._peer.now()
            self._publisher.publish(message)
            self.sent += 1


def decode(file: bytes) -> Frame:
    """Decode a JPEG file to (H, W, 3) uint8 BGR."""
    picture = cv2.imdecode(np.frombuffer(file, np.uint8), cv2.IMREAD_COLOR)
    assert picture is not None
    return np.asarray(picture, np.uint8)


def mark_of(picture: Frame) -> int:
    """Return the number of a frame, 0 to `MARKS` - 1, by its grey square."""
    return round(float(picture[8 : MARK_PX - 8, 8 : MARK_PX - 8].mean()) / MARK_STEP)
