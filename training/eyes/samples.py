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

"""Eyes of known openness: portraits whose lids are drawn down, as cameras of all kinds see them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from tqdm import tqdm

from cfrnet_ros.vision.preprocessing.align import DEFAULT_TEMPLATE
from cfrnet_ros.vision.quality.eye_patches import PATCH_SIZE
from examples.eyelids.eye_landmarks import EyeLandmarker, eye_aspect_ratio
from training.data.crops import SIZE, aligned, to_image, to_tensor
from training.data.lids import draw_closures, draw_lids
from training.data.manifest import FaceRecord
from training.degradation import SAMPLERS, Degradation, DegradationBatch, clean_plan

#: Pixels around the patch that the network sees, so that it can be shifted and turned later.
SPARE = 16

#: Share of each kind of picture among the samples; 'clean' is not degraded.
KINDS: dict[str, float] = {
    'clean': 0.25,
    'general': 0.27,
    'car': 0.25,
    'low_light': 0.10,
    'motion': 0.08,
    'fused': 0.03,
    'mosaic': 0.02,
}

#: Share of samples whose lids stay as they are, of those drawn down by any amount, and of those
#: that are shut or nearly shut; what is left to 1 is a wink.
_AS_IT_IS, _ANY, _SHUT = 0.45, 0.22, 0.25

_CHUNK = 32


@dataclass(frozen=True)
class EyeSamples:
    """Eyes with their openness.

    Attributes:
        strips: (N, 2, H, W) uint8 luma around the image-left eye and the mirrored image-right eye;
            H and W are those of the network's patch and `SPARE` on each side.
        openness: (N, 2) float32 height over width of each eye, 0 or above.
        face: (N,) int32 index of the portrait.
        kind: (N,) int8 index of the kind of picture in `KINDS`.

    """

    strips: NDArray[np.uint8]
    openness: NDArray[np.float32]
    face: NDArray[np.int32]
    kind: NDArray[np.int8]


def make_samples(records: Sequence[FaceRecord], per_face: int, seed: int) -> EyeSamples:
    """Draw the lids of portraits down and degrade them.

    Portraits in which no face mesh is found are left out.

    Args:
        records: Portraits.
        per_face: Number of samples of each portrait.
        seed: Seed of all random numbers; the samples of a portrait depend on nothing else.

    """
    landmarker = EyeLandmarker()
    pictures: list[NDArray[np.uint8]] = []
    plans: list[Degradation] = []
    strips, openness, faces, kinds = [], [], [], []
    names, shares = list(KINDS), np.array(list(KINDS.values()))
    for index, record in enumerate(tqdm(records, unit='face')):
        crop = aligned(record)
        eyes = landmarker(crop)
        if eyes.found:
            for number in range(per_face):
                rng = np.random.default_rng((seed, index, number))
                closures = draw_closures(rng, _AS_IT_IS, _ANY, _SHUT)
                pictures.append(draw_lids(crop, eyes.outlines, closures, rng))
                ratios = [eye_aspect_ratio(np.stack([one, one])) for one in eyes.outlines]
                openness.append(np.array(ratios) * (1.0 - closures))
                kind = int(rng.choice(len(names), p=shares / shares.sum()))
                plans.append(clean_plan() if kind == 0 else SAMPLERS[names[kind]](rng))
                faces.append(index)
                kinds.append(kind)
        if len(pictures) >= _CHUNK or (pictures and index == len(records) - 1):
            strips += _strips(pictures, plans)
            pictures, plans = [], []
    return EyeSamples(
        np.stack(strips),
        np.array(openness, np.float32),
        np.array(faces, np.int32),
        np.array(kinds, np.int8),
    )


def _strips(
    pictures: Sequence[NDArray[np.uint8]], plans: Sequence[Degradation]
) -> list[NDArray[np.uint8]]:
    images = torch.cat([to_tensor(picture) for picture in pictures])
    degraded = DegradationBatch(plans).degrade(images)
    return [eye_strips(to_image(image)) for image in degraded]


def eye_strips(crop: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Cut the surroundings of both eyes out of a (256, 256, 3) uint8 BGR crop.

    Returns:
        (2, H, W) uint8 luma as `EyeSamples.strips` has it.

    """
    gray = np.asarray(cv2.cvtColor(crop, cv2.COLOR_BGR2GRAY), np.uint8)
    width, height = PATCH_SIZE[0] + 2 * SPARE, PATCH_SIZE[1] + 2 * SPARE
    found = []
    for side, centre in enumerate(DEFAULT_TEMPLATE[:2] * SIZE - 0.5):
        left, top = (int(v) for v in np.round(centre - np.array([width - 1, height - 1]) / 2))
        strip = gray[top : top + height, left : left + width]
        found.append(strip[:, ::-1] if side == 1 else strip)
    return np.stack(found)
