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
def _cells(height: int, width: int, stride: int) -> NDArray[np.float32]:
    """Return the column and row of every cell of a level, (cells, 2) float32."""
    rows, columns = np.mgrid[: height // stride, : width // stride]
    return np.stack([columns.ravel(), rows.ravel()], axis=1).astype(np.float32)


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
    boxes, landmarks, scores = [], [], []
    for stride in STRIDES:
        cls = outputs[f'cls_{stride}'].reshape(-1)
        obj = outputs[f'obj_{stride}'].reshape(-1)
        score = np.sqrt(np.clip(cls, 0, 1) * np.clip(obj, 0, 1))
        kept = np.flatnonzero(score >= threshold)
        cell = _cells(height, width, stride)[kept]
        box = outputs[f'bbox_{stride}'].reshape(-1, 4)[kept]
        centre = (cell + box[:, :2]) * stride
        # A box above e^8 strides is larger than any frame: the output is damaged.
        half = np.exp(np.minimum(box[:, 2:], 8.0)) * (stride / 2)
        points = outputs[f'kps_{stride}'].reshape(-1, 5, 2)[kept]
        boxes.append(np.hstack([centre - half, centre + half]))
        landmarks.append((points + cell[:, None, :]) * stride)
        scores.append(score[kept])
    return (
        np.concatenate(boxes).astype(np.float32, copy=False),
        np.concatenate(landmarks).astype(np.float32, copy=False),
        np.concatenate(scores).astype(np.float32, copy=False),
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
