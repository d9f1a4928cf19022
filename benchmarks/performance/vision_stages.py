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

"""Times the stages of the pipeline without ROS, in one thread."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np

from benchmarks.performance.node_cases import SCENE_FRAMES
from benchmarks.performance.scenes import FPS, frames
from cfrnet_ros.vision.detection.detector import YuNetDetector
from cfrnet_ros.vision.engine.models import resolve_model
from cfrnet_ros.vision.engine.providers import choose_providers
from cfrnet_ros.vision.pipeline import FacePipeline, PipelineSettings
from cfrnet_ros.vision.restoration.restorer import Restorer
from cfrnet_ros.vision.stages import StageClock
from cfrnet_ros.vision.tracking.tracker import FaceTracker

SIZES = ((640, 480), (1280, 720), (1920, 1080))
#: Frames that are not counted, while fusion begins.
SETTLING = 10


def measure_stages(count: int) -> dict[str, Any]:
    """Measure the stages of a frame with one face and one cycle, by size of the frame.

    Args:
        count: Number of frames of each size that are counted.

    Returns:
        Milliseconds by size and stage: `min` and `p50` over the frames in which the stage ran;
        `unnamed` is the time that no stage covers.

    """
    cv2.setNumThreads(1)
    choice = choose_providers('cpu')
    detector = YuNetDetector(None, choice, 480, 1)
    restorer = Restorer(resolve_model('int8'), choice, 1)
    found = {}
    for width, height in SIZES:
        pipeline = FacePipeline(detector, restorer, FaceTracker())
        pictures = frames(width, height, 1, SCENE_FRAMES)
        turns = [*pictures, *pictures[-2:0:-1]]
        times: dict[str, list[float]] = {}
        for index in range(SETTLING + count):
            clock = StageClock()
            pipeline.process(
                turns[index % len(turns)], PipelineSettings(cycles=1), index / FPS, clock
            )
            spent = {stage.value: ms for stage, ms in clock.stages_ms.items()}
            spent['unnamed'] = clock.elapsed_ms - clock.parts_ms
            if index >= SETTLING:
                for name, ms in spent.items():
                    times.setdefault(name, []).append(ms)
        found[f'{width}x{height}'] = {
            name: {'min': round(min(values), 2), 'p50': round(float(np.median(values)), 2)}
            for name, values in times.items()
        }
    return found
