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

"""Decodes YuNet's twelve output maps into boxes, landmarks and scores."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

#: Pixels of the input per cell in each of the three output levels.
STRIDES = (8, 16, 32)

#: Number of values per cell in each of the four kinds of output.
CHANNELS = {'cls': 1, 'obj': 1, 'bbox': 4, 'kps': 10}

#: Names of the outputs; a file with these outputs is taken for a YuNet.
OUTPUTS = tuple(f'{kind}_{stride}' for kind in ('cls', 'obj', 'bbox', 'kps') for stride in STRIDES)


@lru_cache(maxsize=16)
def _cells(height: int, width: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return column and row (n, 2) and stride (n, 1) of the cells of all levels, float32."""
    cells, strides = [], []
    for stride in STRIDES:
        rows, columns = np.mgrid[: height // stride, : width // stride]
        cells.append(np.stack([columns.ravel(), rows.ravel()], axis=1))
        strides.append(np.full((rows.size, 1), stride))
    return np.concatenate(cells).astype(np.float32), np.concatenate(strides).astype(np.float32)


def _all_levels(outputs: Mapping[str, NDArray[np.float32]], kind: str) -> NDArray[np.float32]:
    """Return the (n, channels) values of one kind of output, level after level."""
    maps = [outputs[f'{kind}_{stride}'].reshape(-1, CHANNELS[kind]) for stride in STRIDES]
    return np.concatenate(maps)


def decode(
    outputs: Mapping[str, NDArray[np.float32]], height: int, width: int, threshold: float
) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]:
    """Decode the cells whose score reaches a threshold.

    The formulas are those of OpenCV's `FaceDetectorYNImpl::postProcess`
    (modules/objdetect/src/face_detect.cpp): score = sqrt(cls * obj);
    centre = (cell + offset) * stride; size = exp(value) * stride;
    landmark = (cell + offset) * stride.

    Args:
        outputs: Twelve maps by name, each (1, cells, channels) float32.
        height: Height of the network's input in pixels.
        width: Width of the network's input in pixels.
        threshold: Lowest score of a face, 0..1.

    Returns:
        (n, 4) boxes as left, top, right, bottom and (n, 5, 2) landmarks, both in pixels
        of the network's input, and (n,) scores, 0..1; all float32, not yet suppressed.

    """
    # All levels at once: for small pictures the calls take longer than the arithmetic.
    cls, obj = (np.clip(_all_levels(outputs, kind)[:, 0], 0, 1) for kind in ('cls', 'obj'))
    score = np.sqrt(cls * obj)
    kept = np.flatnonzero(score >= threshold)
    cell, stride = (values[kept] for values in _cells(height, width))
    box = _all_levels(outputs, 'bbox')[kept]
    centre = (cell + box[:, :2]) * stride
    # A box above e^8 strides is larger than any frame: the output is damaged.
    half = np.exp(np.minimum(box[:, 2:], 8.0)) * (stride / 2)
    points = _all_levels(outputs, 'kps')[kept].reshape(-1, 5, 2)
    landmarks = (points + cell[:, None, :]) * stride[:, :, None]
    boxes = np.hstack([centre - half, centre + half])
    return (
        boxes.astype(np.float32, copy=False),
        landmarks.astype(np.float32, copy=False),
        score[kept].astype(np.float32, copy=False),
    )


def suppress(
    boxes: NDArray[np.float32], scores: NDArray[np.float32], overlap: float
) -> NDArray[np.intp]:
    """Keep the best of several overlapping boxes (greedy non-maximum suppression).

    Args:
        boxes: (n, 4) float32 left, top, right, bottom.
        scores: (n,) float32 scores.
        overlap: Intersection over union above which the box with the lower score is dropped,
            0..1.

    Returns:
        Indices of the kept boxes.

    """
    if len(boxes) == 0:
        return np.empty(0, dtype=np.intp)
    corners_and_sizes = np.hstack([boxes[:, :2], boxes[:, 2:] - boxes[:, :2]])
    kept = cv2.dnn.NMSBoxes(corners_and_sizes.tolist(), scores.tolist(), 0.0, overlap)
    return np.asarray(kept, dtype=np.intp).reshape(-1)
