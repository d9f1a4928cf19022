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

"""Making the golden crops that an engine is believed for (see `cfrnet_ros.vision.engine.golden`).

The face is the astronaut Eileen Collins (NASA, public domain, in scikit-image): everyone may have
it, and no person of the training data has to be shown. Four cameras see it at half size, so that
one input of the network holds them all.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from skimage.data import astronaut

from cfrnet_ros.vision.detection.detector import YuNetDetector
from cfrnet_ros.vision.engine.golden import SUFFIX
from cfrnet_ros.vision.engine.providers import choose_providers
from cfrnet_ros.vision.preprocessing.align import align_face
from cfrnet_ros.vision.restoration.restorer import Restorer
from cfrnet_ros.vision.restoration.self_test import run_self_test

Image = NDArray[np.uint8]

#: Numbers of cycles whose outputs are kept.
CYCLES = (1, 3)

#: Seed of the noise.
SEED = 20

#: Limit of a file in dB: so far below what it reached where it was exported, and never above the
#: second number, which leaves room for FP32 files on engines of half precision.
MARGIN_DB, HIGHEST_LIMIT_DB = 4.0, 46.0


def golden_crop(size: int) -> Image:
    """Draw four spoilt faces side by side.

    Args:
        size: Side N of the model's input in pixels, even.

    Returns:
        (N, N, 3) uint8 BGR: noise, compression, blur in dim light, and overexposure.

    """
    photo = np.ascontiguousarray(astronaut()[..., ::-1])
    face = YuNetDetector(None, choose_providers('cpu'), 480).detect(photo, 0.6)[0]
    aligned = align_face(photo, face.landmarks, size)[0]
    half = cv2.resize(aligned, (size // 2, size // 2), interpolation=cv2.INTER_AREA)
    rng = np.random.default_rng(SEED)

    def noisy(image: NDArray[Any], deviation: float) -> Image:
        return np.clip(np.rint(image + rng.normal(0, deviation, half.shape)), 0, 255).astype(
            np.uint8
        )

    packed = cv2.imencode(
        '.jpg', cv2.GaussianBlur(half, (0, 0), 0.8), [cv2.IMWRITE_JPEG_QUALITY, 20]
    )
    compressed = cv2.imdecode(packed[1], cv2.IMREAD_COLOR)
    assert compressed is not None
    dim = noisy(cv2.GaussianBlur(half, (0, 0), 1.2).astype(np.float64) * 0.45, 5.0)
    bright = noisy(half * 1.5 + 20.0, 3.0)
    return np.vstack(
        [np.hstack([noisy(half, 14.0), np.asarray(compressed, np.uint8)]), np.hstack([dim, bright])]
    )


def write_golden(reference: Path, network: str) -> dict[str, Any]:
    """Write the picture of golden crops beside a reference, and return what cards say of it.

    Args:
        reference: FP32 model with a card, restored by the CPU.
        network: Name of the network, which begins the picture's name.

    Returns:
        `file`, `sha256` and `cycles`; `limit_db` is to be added for each file.

    """
    restorer = Restorer(reference, choose_providers('cpu'), 1)
    panels = [golden_crop(restorer.card.size)]
    for cycle in restorer.cycles(panels[0]):
        if cycle.number in CYCLES:
            panels.append(cycle.crop())
        if cycle.number == max(CYCLES):
            break
    path = reference.parent / f'{network}{SUFFIX}'
    cv2.imwrite(str(path), np.hstack(panels), [cv2.IMWRITE_PNG_COMPRESSION, 9])
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    return {'file': path.name, 'sha256': digest, 'cycles': list(CYCLES)}


def limit_of(model: Path) -> tuple[float, Sequence[float]]:
    """Run the self-test of a file where it is exported.

    Args:
        model: Path of a model with a card whose golden crops have any limit.

    Returns:
        Limit in dB that the card is to state, and the PSNR in dB by number of cycles.

    """
    test = run_self_test(Restorer(model, choose_providers('cpu'), 1))
    reached = [round(value, 2) for _, value in test.decibels]
    return round(min(min(reached) - MARGIN_DB, HIGHEST_LIMIT_DB), 1), reached
