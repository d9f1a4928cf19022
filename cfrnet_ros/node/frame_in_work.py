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

"""What the steps of the worker hand on: a received message, and what has been made of it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sensor_msgs.msg import CompressedImage, Image

from cfrnet_ros.node.images.errors import ImageError
from cfrnet_ros.node.parameters import Settings
from cfrnet_ros.vision.frame_work import FrameWork
from cfrnet_ros.vision.stages import StageClock


@dataclass(frozen=True)
class Frame:
    """A received message on its way to the worker.

    Attributes:
        msg: Message with the image.
        received_s: Time of arrival in seconds, by `time.perf_counter`.
        generation: Number of the activation during which the message arrived.

    """

    msg: Image | CompressedImage
    received_s: float
    generation: int


@dataclass(frozen=True)
class DecodedFrame:
    """Pixels of a frame, with its faces on their way through the pipeline.

    Attributes:
        camera_image: (H, W, 3) uint8 BGR image as the camera sent it.
        image: (H, W, 3) uint8 BGR upright image.
        faces: Faces of the upright image.

    """

    camera_image: NDArray[np.uint8]
    image: NDArray[np.uint8]
    faces: FrameWork


@dataclass
class FrameInWork:
    """A frame on its way from step to step, in the hands of one thread.

    Attributes:
        frame: Received message.
        settings: Parameters at the moment when the frame was taken.
        clock: Clock of the frame.
        stamp_ns: Stamp of its header in nanoseconds.
        found: Decoded frame, or the reason for which the image cannot be decoded.
        lane: Lane that restores the frame, counted from 0.
        restored_s: Moment at which it was restored, in seconds by `time.perf_counter`.

    """

    frame: Frame
    settings: Settings
    clock: StageClock
    stamp_ns: int
    found: DecodedFrame | ImageError
    lane: int = 0
    restored_s: float = 0.0
