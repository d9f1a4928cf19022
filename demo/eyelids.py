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

"""Closes the eyes of the astronaut's portrait.

The upper lid with its lashes is drawn down over the eye like a real lid: the skin between brow and
lashes stretches, the lashes keep their width, and the eye below is covered. No pixel changes above
the fold at the brow and below the lower lid.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

Picture = NDArray[np.uint8]

# Scale of the picture that is warped: an open eye is only seven pixels high.
_FINE = 6


@dataclass(frozen=True)
class _Eye:
    """Outline of an eye, in pixels of the portrait, from left to right.

    Attributes:
        upper: Edge of the upper lid under its lashes, corners included.
        lower: Edge of the lower lid, corners included.

    """

    upper: tuple[tuple[float, float], ...]
    lower: tuple[tuple[float, float], ...]


# Found by MediaPipe's eye network (see examples/eyelids) and rounded; the outer corners were
# moved to the ends of the lashes.
_EYES = (
    _Eye(
        upper=(
            (193.6, 100.8),
            (196.5, 98.9),
            (199.0, 97.8),
            (202.5, 97.3),
            (206.0, 97.8),
            (209.5, 99.6),
            (212.0, 102.0),
            (213.6, 103.8),
        ),
        lower=(
            (193.6, 100.8),
            (196.5, 102.4),
            (198.1, 103.5),
            (200.4, 104.4),
            (203.8, 104.8),
            (207.0, 104.6),
            (210.2, 104.2),
            (213.6, 103.8),
        ),
    ),
    _Eye(
        upper=(
            (236.3, 105.0),
            (238.0, 103.4),
            (240.7, 101.2),
            (244.3, 99.7),
            (247.9, 99.5),
            (251.2, 100.4),
            (254.0, 102.0),
            (257.4, 104.3),
        ),
        lower=(
            (236.3, 105.0),
            (239.5, 105.7),
            (242.5, 106.5),
            (245.7, 107.0),
            (249.0, 107.0),
            (251.4, 106.5),
            (254.0, 105.5),
            (257.4, 104.3),
        ),
    ),
)

# Margin around an eye in pixels.
_ROOM = 10


@dataclass(frozen=True)
class LidStyle:
    """Measures of an upper lid.

    Attributes:
        lashes: Height of the lashes above the lid's edge, in pixels.
        skin: Height of the skin above the lashes that stretches, in pixels.
        meet: Share of the eye's height at which shut lids meet: slightly above the edge of the
            lower lid, which rises a little.

    """

    lashes: float = 1.9
    skin: float = 4.6
    meet: float = 0.97


def close_eyes(portrait: Picture, openness: float) -> Picture:
    """Draw the upper lids down.

    Args:
        portrait: (512, 512, 3) uint8, `skimage.data.astronaut()` in any order of colours.
        openness: Share of the eye's height that stays visible, from 0 for shut eyes to 1 for
            the eyes of the photograph.

    Returns:
        (512, 512, 3) uint8 picture; a copy of the portrait if the openness is 1.

    Raises:
        ValueError: The portrait has another shape, or the openness is outside 0..1.

    """
    if portrait.shape != (512, 512, 3) or portrait.dtype != np.uint8:
        raise ValueError(f'the portrait must be (512, 512, 3) uint8, got {portrait.shape}')
    if not 0.0 <= openness <= 1.0:
        raise ValueError(f'openness must be from 0 to 1, got {openness}')
    result = portrait.copy()
    if openness < 1.0:
        for eye in _EYES:
            draw_lid(result, portrait, np.array(eye.upper), np.array(eye.lower), 1.0 - openness)
    return result


def draw_lid(
    result: Picture,
    portrait: Picture,
    upper: NDArray[np.float64],
    lower: NDArray[np.float64],
    closure: float,
    style: LidStyle = LidStyle(),
) -> None:
    """Draw the upper lid of one eye down, in place.

    Args:
        result: (H, W, 3) uint8 picture to draw in; the eye must lie 10 pixels inside of it.
        portrait: The same picture with the eye as it was.
        upper: (N, 2) x, y in pixels: edge of the upper lid from left to right, corners included.
        lower: (M, 2) x, y in pixels: edge of the lower lid likewise.
        closure: Share of the eye's height to cover, 0..1.
        style: Measures of the lid.

    """
    left, top = np.floor(upper.min(axis=0)).astype(int) - _ROOM
    right, bottom = np.ceil(lower.max(axis=0)).astype(int) + _ROOM
    patch = portrait[top:bottom, left:right]
    height, width = patch.shape[:2]
    size = (width * _FINE, height * _FINE)
    fine = cv2.resize(patch, size, interpolation=cv2.INTER_CUBIC)
    # Centres of the fine pixels, in pixels of the portrait.
    x = (np.arange(size[0]) + 0.5) / _FINE - 0.5 + left
    y = ((np.arange(size[1]) + 0.5) / _FINE - 0.5 + top)[:, None]
    edge = _curve(x, upper)
    drop = style.meet * closure * np.maximum(_curve(x, lower) - edge, 0.0)
    lashes = edge - style.lashes
    fold = lashes - style.skin
    stretch = style.skin / (style.skin + drop)
    source = np.where(
        y >= edge + drop,
        y,
        np.where(y >= lashes + drop, y - drop, fold + (y - fold) * stretch),
    )
    source = np.where(y < fold, y, source)
    map_y = ((source - top + 0.5) * _FINE - 0.5).astype(np.float32)
    map_x = np.broadcast_to(np.arange(size[0], dtype=np.float32), map_y.shape)
    drawn = cv2.remap(
        fine, np.ascontiguousarray(map_x), map_y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )
    # Only the pixels that the warp moved are replaced: resizing softens the others.
    moved = (np.abs(source - y) > 1e-6).astype(np.float32)
    weight = cv2.resize(moved, (width, height), interpolation=cv2.INTER_AREA)[..., None]
    closed = cv2.resize(drawn, (width, height), interpolation=cv2.INTER_AREA)
    blended = patch + weight * (closed.astype(np.float32) - patch)
    result[top:bottom, left:right] = np.clip(blended + 0.5, 0, 255).astype(np.uint8)


def _curve(x: NDArray[np.float64], points: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return a smooth curve through the points: a fourth-order polynomial, level beyond them."""
    inside = np.clip(x, points[0, 0], points[-1, 0])
    middle, half = points[:, 0].mean(), np.ptp(points[:, 0]) / 2
    fit = np.polynomial.Polynomial.fit(
        (points[:, 0] - middle) / half, points[:, 1], 4, w=[4, *[1] * (len(points) - 2), 4]
    )
    return np.asarray(fit((inside - middle) / half))
