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

"""Writes the crops that toolchains calibrate with: ``python -m benchmarks.npu.calibration OUT``.

They are a face in daylight with noise, blurred and dark, as a camera gives it, and what the network
makes of it: later cycles see restored faces. None of them is a golden crop.
"""

from __future__ import annotations

import sys
from pathlib import Path

import cv2
import numpy as np

from cfrnet_ros.apps.restore.face_restorer import Engine, FaceRestorer
from cfrnet_ros.vision.preprocessing.colour_noise import prepare_face
from cfrnet_ros.vision.settings import PipelineSettings
from demo import bad_camera
from demo.scene import Scene

FRAMES = 4


def main() -> None:
    """Write (M, 256, 256, 3) uint8 RGB crops as a NumPy file."""
    scene, rng = Scene(4), np.random.default_rng(4)
    restorer = FaceRestorer(Engine(model='fp32', provider='cpu'), PipelineSettings(cycles=2))
    crops = []
    for number in range(FRAMES):
        clean = scene.frame(1.7 * number)
        seen = bad_camera.daylight_noise(clean, 1.7 * number, rng)
        if number % 2:
            seen = np.asarray(cv2.GaussianBlur(seen, (0, 0), 1.5), np.uint8)
        restorer.new_video()
        for face in restorer.process(seen, float(number)).faces:
            crops += [prepare_face(face.aligned), face.crop]
    np.save(Path(sys.argv[1]), np.stack(crops)[..., ::-1])


if __name__ == '__main__':
    main()
