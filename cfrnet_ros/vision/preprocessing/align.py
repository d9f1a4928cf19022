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

"""Aligns a face: from five landmarks to the square crop that the restorer was trained on."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

#: Five landmarks of the 512x512 FFHQ-aligned face (image-left eye, image-right
#: eye, nose tip, image-left and image-right mouth corner) as fractions of the
#: side. Source: the mean FFHQ face that facexlib's ``FaceRestoreHelper`` uses.
FFHQ_TEMPLATE: NDArray[np.float64] = (
    np.array(
        [
            [192.98138, 239.94708],
            [318.90277, 240.19360],
            [256.63416, 314.01935],
            [201.26117, 371.41043],
            [313.08905, 371.15118],
        ]
    )
    / 512.0
)

#: Scale of the face in this crop relative to FFHQ's crop. A driver's face is 60 to 90 px
#: high, so pixels spent on the background are pixels (and milliseconds) that the eyes do
#: not get.
FACE_SCALE = 1.2

#: Template that CFRNet is trained on, as fractions of the crop's side.
DEFAULT_TEMPLATE: NDArray[np.float64] = (FFHQ_TEMPLATE - 0.5) * FACE_SCALE + 0.5


def similarity_transform(
    landmarks: ArrayLike,
    size: int,
    template: ArrayLike = DEFAULT_TEMPLATE,
    margin: float = 1.0,
) -> NDArray[np.float64]:
    """Fit the similarity transform that maps landmarks onto the template.

    The fit is closed-form least squares over rotation, uniform scale and translation
    (Umeyama, "Least-squares estimation of transformation parameters between two
    point patterns", PAMI 1991), without reflection. Unlike a RANSAC fit it is
    deterministic, so a still face gives a still crop.

    Args:
        landmarks: (5, 2) points in pixels of the source image.
        size: Side of the crop in pixels, above 0.
        template: (5, 2) points as fractions (0..1) of the crop's side.
        margin: Scale of the surroundings: above 1 shows more of them, below 1 less.

    Returns:
        (2, 3) float64 affine matrix from source pixels to crop pixels, in OpenCV's
        convention (integer coordinates at pixel centres).

    Raises:
        ValueError: The shapes are wrong, landmarks are not finite or coincide, or size or
            margin is not positive.

    """
    source = np.asarray(landmarks, dtype=np.float64)
    target = np.asarray(template, dtype=np.float64)
    if source.shape != (5, 2) or target.shape != (5, 2):
        raise ValueError(
            f'landmarks and template must have shape (5, 2), got {source.shape} and {target.shape}'
        )
    if size <= 0 or not margin > 0:
        raise ValueError(f'size and margin must be positive, got {size} and {margin}')
    if not np.isfinite(source).all():
        raise ValueError('landmarks must be finite numbers')
    # Fractions count from the crop's edge, OpenCV's coordinates from the centre of its
    # first pixel; the half pixel converts between them.
    target = ((target - 0.5) / margin + 0.5) * size - 0.5

    source_mean, target_mean = source.mean(axis=0), target.mean(axis=0)
    source_centred, target_centred = source - source_mean, target - target_mean
    variance = float((source_centred**2).sum())
    if variance < 1e-6:
        raise ValueError('landmarks coincide, so no crop can be aligned to them')
    # In two dimensions the optimal rotation and scale are one complex number.
    cosine = float((source_centred * target_centred).sum()) / variance
    sine = (
        float(
            (
                source_centred[:, 0] * target_centred[:, 1]
                - source_centred[:, 1] * target_centred[:, 0]
            ).sum()
        )
        / variance
    )
    rotation = np.array([[cosine, -sine], [sine, cosine]])
    if float(np.hypot(cosine, sine)) < 1e-6:
        raise ValueError('landmarks do not resemble a face: the fitted scale is zero')
    translation = target_mean - rotation @ source_mean
    return np.hstack([rotation, translation[:, None]])


def warp_crop(
    image: NDArray[np.uint8], affine: NDArray[np.float64], size: int
) -> NDArray[np.uint8]:
    """Cut out of an image the crop that an affine matrix describes.

    If the face is larger than the crop, the image is low-pass filtered first, because
    bilinear sampling alone would alias. Beyond the image's border the crop shows the
    image mirrored, because the restorer would try to restore a black wedge as well.

    Args:
        image: (H, W, C) or (H, W) uint8 image.
        affine: (2, 3) matrix from source pixels to crop pixels.
        size: Side of the crop in pixels.

    Returns:
        (size, size, C) or (size, size) uint8 crop.

    """
    scale = float(np.hypot(affine[0, 0], affine[1, 0]))
    matrix = np.asarray(affine, dtype=np.float64)
    if scale < 0.5:
        # INTER_AREA is applied to the face's neighbourhood only: resizing a whole large
        # frame would take longer than the rest of the alignment.
        height, width = image.shape[:2]
        inverse = cv2.invertAffineTransform(matrix)
        corners = np.array([[0, 0, 1], [size, 0, 1], [0, size, 1], [size, size, 1]], np.float64)
        spread = corners @ inverse.T
        low = np.floor(spread.min(axis=0)).astype(int) - 4
        high = np.ceil(spread.max(axis=0)).astype(int) + 4
        x0, y0 = max(0, int(low[0])), max(0, int(low[1]))
        x1, y1 = min(width, int(high[0])), min(height, int(high[1]))
        if x1 - x0 > 1 and y1 - y0 > 1:
            small_w = max(1, round((x1 - x0) * scale))
            small_h = max(1, round((y1 - y0) * scale))
            image = np.asarray(
                cv2.resize(image[y0:y1, x0:x1], (small_w, small_h), interpolation=cv2.INTER_AREA)
            ).astype(np.uint8, copy=False)
            fx, fy = small_w / (x1 - x0), small_h / (y1 - y0)
            # Inverse of small = (source - origin + 0.5) * f - 0.5, included in the warp.
            back = np.array(
                [[1 / fx, 0, 0.5 / fx - 0.5 + x0], [0, 1 / fy, 0.5 / fy - 0.5 + y0], [0, 0, 1]]
            )
            matrix = matrix @ back
    warped = cv2.warpAffine(
        image, matrix, (size, size), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101
    )
    return np.asarray(warped).astype(np.uint8, copy=False)


def align_face(
    image: NDArray[np.uint8],
    landmarks: ArrayLike,
    size: int = 256,
    template: ArrayLike = DEFAULT_TEMPLATE,
    margin: float = 1.0,
) -> tuple[NDArray[np.uint8], NDArray[np.float64]]:
    """Align one face to the restorer's crop.

    Args:
        image: (H, W, 3) uint8 source image.
        landmarks: (5, 2) points in pixels of the image, in the template's order.
        size: Side of the crop in pixels.
        template: (5, 2) points as fractions (0..1) of the crop's side.
        margin: Scale of the surroundings: above 1 shows more of them, below 1 less.

    Returns:
        Crop, (size, size, 3) uint8, and the (2, 3) float64 matrix from source
        pixels to crop pixels.

    Raises:
        ValueError: The arguments do not allow a fit, for the reasons that
            `similarity_transform` lists.

    """
    affine = similarity_transform(landmarks, size, template, margin)
    return warp_crop(image, affine, size), affine
