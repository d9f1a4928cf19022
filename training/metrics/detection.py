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

"""Whether the node's own detector finds the face of a crop."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cfrnet_ros.vision.detection.detector import YuNetDetector, default_model
from cfrnet_ros.vision.engine.providers import choose_providers
from cfrnet_ros.vision.errors import ModelError
from cfrnet_ros.vision.preprocessing.align import DEFAULT_TEMPLATE
from training.metrics.crops import CROP_SIZE, check_crop
from training.metrics.package_files import file_sha256

_NOSE = DEFAULT_TEMPLATE[2] * CROP_SIZE - 0.5


class FaceFinder:
    """YuNet on aligned crops, with the node's default threshold.

    A crop is given to the detector as it is: without a border it finds the face of
    every clean validation crop, so a missing face is the degradation's doing.

    Attributes:
        sha256: Hash of the detector's file.

    """

    def __init__(self, threads: int = 1) -> None:
        """Load the detector.

        Args:
            threads: CPU threads, 0 for ONNX Runtime's own choice.

        Raises:
            FileNotFoundError: The package that holds the detector is missing.

        """
        try:
            model = default_model()
        except ModelError as error:
            raise FileNotFoundError(str(error)) from error
        self.sha256 = file_sha256(model)
        # Second looks only move landmarks, which do not count here.
        self._detector = YuNetDetector(
            model, choose_providers('cpu'), input_size=CROP_SIZE, threads=threads, refinements=0
        )

    def __call__(self, crop_bgr: NDArray[np.uint8]) -> float:
        """Return the best score of a face on the crop's middle, 0.6..1, or 0 for none.

        A face counts only if its box holds the point where alignment puts the nose: one
        in the background is not the one that was to be found.

        Args:
            crop_bgr: (256, 256, 3) uint8 aligned crop.

        Raises:
            ValueError: The crop has another shape or type.

        """
        check_crop(crop_bgr)
        return max(
            (
                face.score
                for face in self._detector.detect(crop_bgr)
                if (face.box[:2] <= _NOSE).all() and (face.box[2:] >= _NOSE).all()
            ),
            default=0.0,
        )
