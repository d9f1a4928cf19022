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

"""What is done with every recording, as it is sent to the workers."""

from __future__ import annotations

from dataclasses import dataclass

from cfrnet_ros.apps.restore.face_restorer import Engine
from cfrnet_ros.vision.settings import PipelineSettings


@dataclass(frozen=True)
class Options:
    """Options of a run, the same for all recordings.

    Attributes:
        engine: Models and where they run.
        settings: Settings of the pipeline.
        rotation: Angle by which pictures must be turned clockwise to be upright, in degrees.
        topics: Topics of bags that hold the images; empty for all topics with images.
        whole_frames: Whether bags also get the restored frames, as JPEG.
        raw_crops: Whether bags get the crops as sensor_msgs/Image instead of JPEG.
        jpeg_quality: Quality of the JPEG images, 1..100.

    """

    engine: Engine
    settings: PipelineSettings
    rotation: int = 0
    topics: tuple[str, ...] = ()
    whole_frames: bool = False
    raw_crops: bool = False
    jpeg_quality: int = 95
