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

"""What restored faces are measured by.

Networks come from weight files in installed packages (``requirements/weights.txt``);
nothing is downloaded. Each class names its file by ``sha256``.
"""

from __future__ import annotations

from training.metrics.detection import FaceFinder
from training.metrics.distribution import EfficientNetFeatures, kid
from training.metrics.dists import Dists
from training.metrics.fidelity import ms_ssim, psnr, ssim
from training.metrics.landmarks import FaceMesh, MeshResult, eye_openness, landmark_error
from training.metrics.niqe import Niqe
from training.metrics.sface import MATCH_COSINE, SFace, cosine, degrees, fed

__all__ = [
    'MATCH_COSINE',
    'Dists',
    'EfficientNetFeatures',
    'FaceFinder',
    'FaceMesh',
    'MeshResult',
    'Niqe',
    'SFace',
    'cosine',
    'degrees',
    'eye_openness',
    'fed',
    'kid',
    'landmark_error',
    'ms_ssim',
    'psnr',
    'ssim',
]
