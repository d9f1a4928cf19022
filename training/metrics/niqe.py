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

"""NIQE (Mittal, Soundararajan, Bovik, "Making a completely blind image quality analyzer", 2013).

Follows the authors' MATLAB release, with their model of pristine images, which
comes with the package ``mmagic`` 1.2.0 (Apache-2.0; not imported) and is, byte for
byte, the file of BasicSR 1.4.2.
"""

from __future__ import annotations

import math

import cv2
import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from training.metrics.package_files import file_sha256, package_file

#: What to give pip for the model of pristine images.
REQUIREMENT = 'mmagic==1.2.0'

#: Side of the blocks, in pixels of the full-size image; the model was fitted to it.
BLOCK = 96

# Shape parameters tried in the fit of a generalised Gaussian, and for each the
# ratio of moments that identifies it.
_SHAPES = np.arange(0.2, 10.001, 0.001)
_RATIOS = np.array(
    [math.exp(2 * math.lgamma(2 / s) - math.lgamma(1 / s) - math.lgamma(3 / s)) for s in _SHAPES]
)

# MATLAB's imresize by one half: the cubic kernel (a = -0.5), stretched to eight taps.
_HALF = np.array([-3, -9, 29, 111, 111, 29, -9, -3], dtype=np.float64) / 256.0

# Differences below this are rounding: luma has steps of 1.
_FLAT = 1e-8


class Niqe:
    """Naturalness without a reference; lower is better, pristine photographs give 2 to 5.

    Only whole blocks of 96x96 from the top left corner count, so a 256x256 crop is
    judged by four blocks of its top left 192x192 pixels: compare figures of equal
    image sizes only.

    Attributes:
        sha256: Hash of the model's file.

    """

    def __init__(self) -> None:
        """Load the model of pristine images.

        Raises:
            FileNotFoundError: The package that holds the model is missing.

        """
        path = package_file('mmagic', 'evaluation/metrics/niqe_pris_params.npz', REQUIREMENT)
        self.sha256 = file_sha256(path)
        with np.load(path, allow_pickle=False) as arrays:
            self._mean: NDArray[np.float64] = arrays['mu_pris_param'].reshape(-1)
            self._covariance: NDArray[np.float64] = arrays['cov_pris_param']
            self._window: NDArray[np.float64] = arrays['gaussian_window']

    def __call__(self, image: Tensor) -> float:
        """Return the NIQE of one image.

        Args:
            image: (1, 3, H, W) RGB in 0..1, H and W at least 96 and one of them at
                least 192 (a covariance needs two blocks).

        Returns:
            The distance, or NaN where fewer than two blocks have any texture.

        Raises:
            ValueError: The image has another shape, or is too small.

        """
        if image.ndim != 4 or image.shape[0] != 1 or image.shape[1] != 3:
            raise ValueError(f'NIQE takes one (1, 3, H, W) image, got {tuple(image.shape)}')
        rows, columns = image.shape[2] // BLOCK, image.shape[3] // BLOCK
        if rows * columns < 2:
            raise ValueError(
                f'NIQE needs two blocks of {BLOCK}x{BLOCK} pixels or more, '
                f'got {image.shape[3]}x{image.shape[2]}'
            )
        luma = _luma(image)[: rows * BLOCK, : columns * BLOCK]
        halves = []
        for block in (BLOCK, BLOCK // 2):
            normalised = self._normalise(luma)
            halves.append(
                [
                    _features(normalised[y : y + block, x : x + block])
                    for x in range(0, columns * block, block)
                    for y in range(0, rows * block, block)
                ]
            )
            luma = _halve(luma)
        features = np.concatenate([np.asarray(half) for half in halves], axis=1)
        # A block without texture has no shape parameters: NaN, left out as in MATLAB.
        valid = features[~np.isnan(features).any(axis=1)]
        if len(valid) < 2:
            return math.nan
        difference = self._mean - np.nanmean(features, axis=0)
        pooled = (self._covariance + np.cov(valid, rowvar=False)) / 2
        return float(np.sqrt(difference @ np.linalg.pinv(pooled) @ difference))

    def _normalise(self, luma: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the mean-subtracted contrast-normalised coefficients (eq. 1)."""
        mean = _filter(luma, self._window)
        variance = _filter(luma * luma, self._window) - mean * mean
        centred = luma - mean
        # Where the image is flat this is 0, but for rounding, whose sign must not count.
        centred[np.abs(centred) < _FLAT] = 0.0
        return centred / (np.sqrt(np.abs(variance)) + 1.0)


def _luma(image: Tensor) -> NDArray[np.float64]:
    """Return the rounded (H, W) luma in 16..235 (ITU-R BT.601, MATLAB's rgb2ycbcr)."""
    rgb = image[0].detach().double().cpu().numpy()
    luma: NDArray[np.float64] = np.tensordot([65.481, 128.553, 24.966], rgb, axes=1)
    return np.round(luma + 16.0)


def _filter(image: NDArray[np.float64], window: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(
        cv2.filter2D(image, cv2.CV_64F, window, borderType=cv2.BORDER_REPLICATE), dtype=np.float64
    )


def _halve(image: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the image at half its size, for even sides."""
    filtered = cv2.sepFilter2D(
        image, cv2.CV_64F, _HALF, _HALF, anchor=(3, 3), borderType=cv2.BORDER_REFLECT
    )
    return np.asarray(filtered[::2, ::2], dtype=np.float64)


def _features(block: NDArray[np.float64]) -> list[float]:
    """Return the 18 features of a block: its own fit and those of four neighbour products."""
    shape, left, right = _fit(block)
    features = [shape, (left + right) / 2]
    for shift in ((0, 1), (1, 0), (1, 1), (1, -1)):
        shape, left, right = _fit(block * np.roll(block, shift, axis=(0, 1)))
        mean = (right - left) * math.exp(math.lgamma(2 / shape) - math.lgamma(1 / shape))
        features += [shape, mean, left, right]
    return features


def _fit(values: NDArray[np.float64]) -> tuple[float, float, float]:
    """Fit an asymmetric generalised Gaussian by moments: shape, left and right scale (eq. 7).

    All three are NaN where one side has no values.
    """
    negative, positive = values[values < 0], values[values > 0]
    if negative.size == 0 or positive.size == 0:
        return math.nan, math.nan, math.nan
    left = math.sqrt(float(np.mean(negative**2)))
    right = math.sqrt(float(np.mean(positive**2)))
    gamma = left / right
    ratio = float(np.mean(np.abs(values))) ** 2 / float(np.mean(values**2))
    ratio *= (gamma**3 + 1) * (gamma + 1) / (gamma**2 + 1) ** 2
    shape = float(_SHAPES[np.argmin((_RATIOS - ratio) ** 2)])
    spread = math.exp((math.lgamma(1 / shape) - math.lgamma(3 / shape)) / 2)
    return shape, left * spread, right * spread
