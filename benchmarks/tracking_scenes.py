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

"""Scenes with two faces and a known truth: crossings, losses, people who take turns."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from skimage.data import astronaut

WIDTH, HEIGHT = 640, 480
PERIOD_S = 1 / 15

#: Centre and width of a head in pixels, by time in seconds; None while it is outside the picture.
Path2D = Callable[[float], 'tuple[float, float, float] | None']


@dataclass(frozen=True)
class Scene:
    """Movements of two heads.

    Attributes:
        name: Name of the scene.
        heads: Paths of the heads; a later one is nearer to the camera.
        seconds: Length of the scene in seconds.
        blind: Periods (start, end) in seconds during which the lens is covered.
        frame_step: Step between the frames that are seen; every n-th of the frames at 15 Hz.

    """

    name: str
    heads: tuple[Path2D, Path2D]
    seconds: float = 3.0
    blind: tuple[tuple[float, float], ...] = ()
    frame_step: int = 1


@dataclass(frozen=True)
class Shot:
    """One frame: (480, 640, 3) uint8 BGR picture, time, and centre of each visible person.

    A head counts as not visible if another one hides more than half of it.
    """

    frame: NDArray[np.uint8]
    time_s: float
    centres: dict[int, tuple[float, float, float]]


def _line(
    start: tuple[float, float], end: tuple[float, float], seconds: float, wide: float
) -> Path2D:
    def at(t: float) -> tuple[float, float, float]:
        share = t / seconds
        return (
            start[0] + (end[0] - start[0]) * share,
            start[1] + (end[1] - start[1]) * share,
            wide,
        )

    return at


def _bounce(x0: float, x1: float, y: float, seconds: float, wide: float) -> Path2D:
    """Return a path to the other side and back."""
    return lambda t: (x0 + (x1 - x0) * (1 - abs(2 * t / seconds - 1)), y, wide)


def _sway(x: float, y: float, reach: float, wide: float) -> Path2D:
    return lambda t: (x + reach * np.sin(2.5 * t), y + 0.3 * reach * np.sin(3.7 * t), wide)


def _only(path: Path2D, start: float, end: float) -> Path2D:
    return lambda t: path(t) if start <= t < end else None


SCENES: tuple[Scene, ...] = (
    Scene('cross, one behind the other',
          (_line((110, 230), (530, 230), 3, 120), _line((530, 250), (110, 250), 3, 150))),
    Scene('cross, equal sizes, fast',
          (_line((100, 240), (540, 240), 1.5, 130), _line((540, 240), (100, 240), 1.5, 130)), 1.5),
    Scene('meet and turn back',
          (_bounce(120, 310, 230, 3, 130), _bounce(520, 335, 250, 3, 140))),
    Scene('lens covered for 0.3 s and 0.7 s',
          (_sway(180, 230, 40, 130), _sway(460, 240, 50, 130)), 4.0, ((1.0, 1.3), (2.2, 2.9))),
    Scene('lens covered while they cross',
          (_line((140, 230), (500, 230), 3, 120), _line((500, 250), (140, 250), 3, 140)), 3.0,
          ((1.3, 1.7),)),
    Scene('5 frames a second',
          (_sway(180, 230, 70, 120), _sway(460, 240, 70, 130)), 4.0, (), 3),
    Scene('one leaves, another takes the seat',
          (_only(_sway(320, 240, 15, 150), 0, 1.4), _only(_sway(325, 240, 15, 150), 2.0, 9)), 4.0),
)  # fmt: skip


def heads_of(folder: Path | None, seed: int) -> list[NDArray[np.uint8]]:
    """Return two different heads, (256, 256, 3) uint8 BGR.

    Args:
        folder: Folder with pictures of one face each, of which two are drawn. None makes two
            people of the astronaut's photograph (NASA, public domain).
        seed: Seed of the draw.

    """
    if folder is None:
        photo = np.ascontiguousarray(astronaut()[:230, 110:340, ::-1])
        one = np.asarray(cv2.resize(photo, (256, 256)), np.uint8)
        # Narrower, with darker hair and skin and light from the other side: another person for a
        # tracker, though hardly for people.
        other = cv2.resize(one[:, ::-1], (215, 256))
        other = cv2.copyMakeBorder(other, 0, 0, 20, 21, cv2.BORDER_REPLICATE)
        shade = np.linspace(0.35, 0.9, 256)[None, :, None]
        return [one, np.clip(np.asarray(other) * shade, 0, 255).astype(np.uint8)]
    files = sorted(p for p in folder.rglob('*') if p.suffix.lower() in ('.jpg', '.png'))
    drawn = np.random.default_rng(seed).choice(len(files), 2, replace=False)
    pictures = [cv2.imread(str(files[int(i)])) for i in drawn]
    return [np.asarray(cv2.resize(p, (256, 256)), np.uint8) for p in pictures if p is not None]


def render(scene: Scene, heads: Sequence[NDArray[np.uint8]], seed: int) -> Iterator[Shot]:
    """Yield the frames of a scene; the same seed gives the same noise."""
    rng = np.random.default_rng(seed)
    ground = cv2.resize(rng.integers(60, 150, (6, 8, 3)).astype(np.uint8), (WIDTH, HEIGHT))
    yy, xx = np.mgrid[-1:1:256j, -1:1:256j]
    mask = np.clip((1.0 - np.hypot(xx / 0.8, yy / 0.95)) * 8, 0, 1).astype(np.float32)
    for index in range(0, int(scene.seconds / PERIOD_S), scene.frame_step):
        t = index * PERIOD_S
        canvas: NDArray[Any] = np.asarray(ground, np.float32).copy()
        centres: dict[int, tuple[float, float, float]] = {}
        for person, (path, head) in enumerate(zip(scene.heads, heads)):
            place = path(t)
            if place is None:
                continue
            x, y, wide = place
            scale = wide / 160.0
            matrix = np.array([[scale, 0, x - 128 * scale], [0, scale, y - 128 * scale]])
            pasted = cv2.warpAffine(head.astype(np.float32), matrix, (WIDTH, HEIGHT))
            alpha = cv2.warpAffine(mask, matrix, (WIDTH, HEIGHT))[..., None]
            canvas = canvas * (1 - alpha) + pasted * alpha
            for other, (ox, oy, owide) in list(centres.items()):
                if np.hypot(ox - x, oy - y) < 0.55 * (wide + owide) / 2:
                    del centres[other]
            centres[person] = place
        frame = np.clip(canvas + rng.normal(0, 4, canvas.shape), 0, 255).astype(np.uint8)
        if any(start <= t < end for start, end in scene.blind):
            frame = rng.integers(0, 6, frame.shape).astype(np.uint8)
            centres = {}
        yield Shot(frame, t, centres)
