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

"""Measures what might follow fusion and does not: ``python -m benchmarks.fusion_variants``.

One cycle a frame could go on where the last frame's cycle ended: where a face is still, the network
is given a blend of the fused crop with its own last output, moved to where the face is now. After
some frames a still face has then seen as many cycles as frames.

Faces that move by fractions of a pixel are sampled at other places in each frame, so that the mean
of several frames contains more detail than each of them, beneath the blur of the camera's pixels.
That blur could be taken back before the network.

Both are compared with one, two and three cycles of the fused crop as it is. The benchmark needs the
training requirements, and writes ``benchmarks/fusion_variants.json`` and the table of
``docs/fusion.md``.
"""

from __future__ import annotations

from itertools import islice
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.fusion import SETTINGS, is_measured, make_pipeline, the_face
from benchmarks.fusion_clips import Camera, film, read_clip
from benchmarks.fusion_comparison import Distances, Record, compare
from cfrnet_ros.vision.preprocessing.colour_noise import prepare_face
from cfrnet_ros.vision.restoration.crop_planes import CropPlanes
from cfrnet_ros.vision.restoration.registration import Registration
from cfrnet_ros.vision.restoration.restorer import Restorer
from cfrnet_ros.vision.types import RestoredFace

Picture = NDArray[np.uint8]

#: Shares of the last output in the network's input where the face is still.
SHARES = (0.0, 0.5, 0.8)

#: Shares of the difference from its blurred self that is added to the fused crop, and the blur
#: (sigma) in pixels of the crop: about a pixel of a camera that sees the face 60 pixels wide.
SHARPENED, SIGMA = (0.5, 1.0), 2.0

#: Cameras, clips and cycles that are compared.
NAMES = ('noise', 'night', 'infrared', 'noise, half size', 'JPEG 50, half size')
CYCLES = (2, 3)

#: Weight of the newest frame up to which a place is still, and from which nothing is carried.
STILL, MOVING = 0.1, 0.6


def carried_planes(
    registration: Registration, planes: CropPlanes, flow: NDArray[np.float32]
) -> CropPlanes:
    """Move the planes of a crop to where the face is in the newest crop.

    Args:
        registration: Registration for the size of the crop.
        planes: Planes of the crop.
        flow: Displacement, as `Registration.between` returns it.

    """
    return CropPlanes(
        registration.carry(planes.luma, flow, sharp=True), registration.carry(planes.small, flow)
    )


class CarriedCycle:
    """Gives the network a blend of the fused crop with its own last output.

    Args:
        restorer: Restorer, for one cycle a frame.
        share: Share of the last output where the face is still, 0..1.
        size: Side of the crops in pixels.

    """

    def __init__(self, restorer: Restorer, share: float, size: int) -> None:
        """Begin without an output."""
        self._restorer, self._share = restorer, share
        self._registration = Registration(size)
        self._last: tuple[CropPlanes, CropPlanes] | None = None

    def __call__(self, face: RestoredFace) -> Picture:
        """Return the restored crop of a face's next frame, (N, N, 3) uint8 BGR."""
        crop, gain = face.fused, face.fusion.gain if face.fusion else None
        now = CropPlanes.of(crop)
        # As bright as the network's output is; what is bright already is not brightened again.
        given = prepare_face(crop)
        if self._last is not None and gain is not None and self._share > 0:
            size = crop.shape[0]
            before, output = self._last
            flow = self._registration.between(now.small_luma, before.small_luma)
            if flow is not None:
                output = carried_planes(self._registration, output, flow)
            newest = cv2.resize(gain, (size, size))
            still = np.clip((MOVING - newest) / (MOVING - STILL), 0.0, 1.0)[..., None]
            blend = given + self._share * still * (output.crop().astype(np.float32) - given)
            given = np.clip(np.rint(blend), 0, 255).astype(np.uint8)
        restored = self._restorer.restore(given, 1).crop
        self._last = (now, CropPlanes.of(restored))
        return restored


def sharpened(crop: Picture, share: float) -> Picture:
    """Take blur back from a crop, (N, N, 3) uint8, by an unsharp mask.

    Args:
        crop: Crop.
        share: Share of the difference from the blurred crop that is added.

    """
    blurred = cv2.GaussianBlur(crop, (0, 0), SIGMA)
    return np.asarray(cv2.addWeighted(crop, 1.0 + share, blurred, -share, 0.0), np.uint8)


def measure(camera: Camera, clip: Path) -> list[Record]:
    """Film a clip and measure its faces.

    Returns:
        Degrees from the truth, PSNR in dB and LPIPS of each measured frame, by version.

    """
    pipeline, restorer = make_pipeline()
    distances, size = Distances(restorer.card), restorer.card.size
    carried: dict[int, dict[float, CarriedCycle]] = {}
    found: list[Record] = []
    for index, shot in enumerate(film(camera, clip.stem, read_clip(clip))):
        face = the_face(pipeline.process(shot.seen, SETTINGS, shot.time_s).faces, shot.box)
        if face is None:
            continue
        states = carried.setdefault(
            face.face.track_id, {share: CarriedCycle(restorer, share, size) for share in SHARES}
        )
        crops = {f'carried {share}': state(face) for share, state in states.items()}
        if not is_measured(index):
            continue
        crops |= {
            f'sharpened {share}': restorer.restore(sharpened(face.fused, share), 1).crop
            for share in SHARPENED
        }
        cycles = islice(restorer.cycles(face.fused), max(CYCLES))
        crops |= {f'k = {one.number}': one.crop() for one in cycles if one.number in CYCLES}
        truth = shot.truth_crop(face.affine, size)
        found.append(distances(truth, crops))
    return found


if __name__ == '__main__':
    compare('fusion_variants', __doc__ or '', measure, NAMES, 'variants')
