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

"""Lids of portraits drawn down: nearly all photographed eyes are open, and filmed ones blink."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cfrnet_ros.vision.preprocessing.align import DEFAULT_TEMPLATE, similarity_transform
from demo.eyelids import LidStyle, draw_lid
from examples.eyelids.eye_landmarks import INNER, OUTER, EyeLandmarker
from training.data.crops import SIZE, aligned
from training.data.manifest import FaceRecord

#: File beside the manifest that holds outlines which were found elsewhere: 'names' and 'outlines'.
FILE = 'eyes.npz'

#: Distance from the border, in pixels, within which no lid is drawn: what `draw_lid` looks at.
MARGIN_PX = 12


def find_outlines(records: Sequence[FaceRecord]) -> NDArray[np.float32]:
    """Find the eyes of portraits by MediaPipe's networks.

    Returns:
        (N, 2, 16, 2) float32 x, y in pixels of the image: outlines of the image-left and the
        image-right eye as `examples.eyelids.eye_landmarks.Eyes` has them; NaN where no face mesh
        is found.

    """
    # Not everywhere: a borrowed machine reads what was found here.
    from tqdm import tqdm

    landmarker = EyeLandmarker()
    found = np.full((len(records), 2, 16, 2), np.nan, np.float32)
    for index, record in enumerate(tqdm(records, desc='eyes', unit='face', leave=False)):
        eyes = landmarker(aligned(record))
        if eyes.found:
            to_crop = similarity_transform(record.landmarks, SIZE, DEFAULT_TEMPLATE)
            back = np.linalg.inv(np.vstack([to_crop, [0.0, 0.0, 1.0]]))
            found[index] = eyes.outlines @ back[:2, :2].T + back[:2, 2]
    return found


def outlines_of(root: Path, records: Sequence[FaceRecord]) -> NDArray[np.float32]:
    """Return the eyes' outlines, from the file `FILE` beside the manifest if there is one.

    Args:
        root: Folder with MANIFEST.tsv.
        records: Portraits, N of them.

    Returns:
        (N, 2, 16, 2) float32 outlines, see `find_outlines`.

    Raises:
        ValueError: The file lacks a portrait.

    """
    path = root / FILE
    if not path.is_file():
        return find_outlines(records)
    with np.load(path, allow_pickle=False) as file:
        known = dict(zip(file['names'].tolist(), file['outlines'], strict=True))
    missing = [r.path.name for r in records if r.path.name not in known]
    if missing:
        raise ValueError(
            f"'{path}' holds no eyes of {missing[0]} and {len(missing) - 1} more; delete it, and "
            'they are found again'
        )
    return np.array([known[r.path.name] for r in records], np.float32).reshape(-1, 2, 16, 2)


def draw_closures(
    rng: np.random.Generator, open_share: float, any_share: float, shut_share: float
) -> NDArray[np.float64]:
    """Draw the shares, 0..1, by which the two eyes of a face are covered.

    Args:
        rng: Source of randomness.
        open_share: Share of faces whose eyes stay as they are.
        any_share: Share of faces whose eyes are both covered by any amount.
        shut_share: Share of faces whose eyes are shut or nearly shut; what is left to 1 are winks.

    """
    draw = rng.random()
    if draw < open_share:
        return np.zeros(2)
    if draw < open_share + any_share:
        return np.full(2, rng.uniform(0.0, 1.0))
    if draw < open_share + any_share + shut_share:
        return np.full(2, rng.uniform(0.9, 1.0))
    wink = np.array([0.0, rng.uniform(0.5, 1.0)])
    return np.asarray(rng.permutation(wink))


def draw_lids(
    picture: NDArray[np.uint8],
    outlines: NDArray[np.floating],
    closures: NDArray[np.float64],
    rng: np.random.Generator,
    scale: float = 1.0,
) -> NDArray[np.uint8]:
    """Return a picture with the upper lids drawn down.

    Args:
        picture: (H, W, 3) uint8 face. An eye within `MARGIN_PX` of its border stays as it is.
        outlines: (2, 16, 2) outlines of the eyes, in pixels of the picture.
        closures: (2,) share of each eye to cover, 0..1.
        rng: Source of randomness, for lashes and skin.
        scale: Number of pixels of the picture for one of an aligned crop of 256 px, in which an eye
            is about 30 px wide.

    Returns:
        (H, W, 3) uint8, a new array.

    """
    result = picture.copy()
    style = LidStyle(
        lashes=scale * float(rng.uniform(1.0, 4.0)),
        skin=scale * float(rng.uniform(4.0, 10.0)),
        meet=float(rng.uniform(0.9, 1.0)),
    )
    far = np.array(picture.shape[1::-1]) - MARGIN_PX
    for side, outline in enumerate(np.asarray(outlines, np.float64)):
        inside = (outline >= MARGIN_PX).all() and (outline < far).all()
        if closures[side] > 0 and inside:
            upper = np.concatenate([outline[OUTER][None], outline[9:], outline[INNER][None]])
            lower = outline[: INNER + 1]
            if side == 1:
                # From left to right: the outer corner of the image-right eye is its right one.
                upper, lower = upper[::-1], lower[::-1]
            draw_lid(result, picture, upper, lower, float(closures[side]), style)
    return result
