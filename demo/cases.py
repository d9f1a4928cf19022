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

"""Makes bags of a few seconds with one difficulty each: `python -m demo.cases FOLDER [NAME ...]`.

The topics are those of the demo's bag (see `make_bag`). The same seed gives the same bag. The
person is the astronaut of `scene`; a scene without a person shows the cat and the cup of coffee
that scikit-image ships (CC0).
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from skimage import data

from demo import bad_camera
from demo.bag_frames import START_NS, CameraBag
from demo.scene import Scene

Picture = NDArray[np.uint8]

WIDTH, HEIGHT = 480, 360
FPS = 10
FRAMES = 16
SEED = 21
#: Length of the gap in seconds, longer than the tests wait before they call the input stale.
DROPOUT_S = 3.0
#: Time in seconds by which the stamps fall in the middle of the bag, as if a clock was set back.
JUMP_S = 5.0


@dataclass(frozen=True)
class Shot:
    """One frame of a bag.

    Attributes:
        time_s: Time of recording, in seconds since the start of the bag.
        stamp_s: Time in the header, in seconds since the start of the bag; may decrease.
        seen: (H, W, 3) BGR or (H, W) grey uint8 picture of the camera.
        truth: (H, W, 3) uint8 BGR ground truth, None if there is nothing to restore.

    """

    time_s: float
    stamp_s: float
    seen: Picture
    truth: Picture | None


def _small(picture: Picture) -> Picture:
    size = (WIDTH, HEIGHT)
    return np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), np.uint8)


def _under(condition: bad_camera.Condition, truth_of: bad_camera.Truth) -> Iterator[Shot]:
    scene, rng = Scene(SEED), np.random.default_rng(SEED)
    for index in range(FRAMES):
        now = index / FPS
        clean = _small(scene.frame(now))
        yield Shot(now, now, condition(clean, now, rng), truth_of(clean))


def night() -> Iterator[Shot]:
    """Show little light, amplified together with its noise."""
    return _under(bad_camera.low_light, bad_camera.perfect)


def infrared() -> Iterator[Shot]:
    """Show grey near infrared, as mono8."""
    return _under(bad_camera.infrared, bad_camera.perfect_infrared)


def glare() -> Iterator[Shot]:
    """Show low sun into the lens."""
    return _under(bad_camera.glare, bad_camera.perfect)


def two_people() -> Iterator[Shot]:
    """Show driver and passenger, who move independently; the passenger sits in the shade."""
    driver, passenger = Scene(SEED), Scene(SEED + 1)
    rng = np.random.default_rng(SEED)
    for index in range(FRAMES):
        now = index / FPS
        left = driver.frame(now)[:, 160:480]
        right = passenger.frame(now)[:, 160:480][:, ::-1]
        shaded = (0.75 * right).astype(np.uint8)
        clean = _small(np.hstack([left, shaded]))
        yield Shot(now, now, bad_camera.daylight_noise(clean, now, rng), clean)


def no_face() -> Iterator[Shot]:
    """Show a cat and a cup of coffee: round and symmetrical, but not a person."""
    rng = np.random.default_rng(SEED)
    cat, cup = (
        np.asarray(cv2.cvtColor(picture, cv2.COLOR_RGB2BGR), np.uint8)
        for picture in (data.chelsea(), data.coffee())
    )
    for index in range(FRAMES):
        now = index / FPS
        picture = cat if index < FRAMES // 2 else cup
        height, width = picture.shape[:2]
        zoom = max(WIDTH / width, HEIGHT / height) * (1.02 + 0.02 * np.sin(now))
        matrix = np.array(
            [
                [zoom, 0, (WIDTH - zoom * width) / 2],
                [0, zoom, (HEIGHT - zoom * height) / 2],
            ]
        )
        clean = cv2.warpAffine(picture, matrix, (WIDTH, HEIGHT), borderMode=cv2.BORDER_REFLECT)
        seen = bad_camera.daylight_noise(np.asarray(clean, np.uint8), now, rng)
        yield Shot(now, now, seen, None)


def dropout() -> Iterator[Shot]:
    """Interrupt the camera for some seconds."""
    for index, shot in enumerate(_under(bad_camera.daylight_noise, bad_camera.perfect)):
        late = DROPOUT_S if index >= FRAMES // 2 else 0.0
        yield Shot(shot.time_s + late, shot.stamp_s + late, shot.seen, shot.truth)


def time_back() -> Iterator[Shot]:
    """Set the camera's clock back in the middle, by more than the length of the bag."""
    for index, shot in enumerate(_under(bad_camera.daylight_noise, bad_camera.perfect)):
        back = JUMP_S if index >= FRAMES // 2 else 0.0
        yield Shot(shot.time_s, shot.stamp_s - back, shot.seen, shot.truth)


def still() -> Iterator[Shot]:
    """Show a motionless person: only the sensor's noise changes from frame to frame."""
    clean = _small(Scene(SEED).frame(0.0))
    rng = np.random.default_rng(SEED)
    for index in range(FRAMES):
        now = index / FPS
        yield Shot(now, now, bad_camera.daylight_noise(clean, 0.0, rng), clean)


CASES: dict[str, Callable[[], Iterator[Shot]]] = {
    function.__name__: function
    for function in (night, infrared, glare, two_people, no_face, dropout, time_back, still)
}


def make_case(name: str, path: Path) -> Path:
    """Write the bag of one of the `CASES`.

    Args:
        name: Name of the case, a key of `CASES`.
        path: Folder to create; it must not exist yet.

    Returns:
        Folder of the bag.

    Raises:
        BagError: The folder exists or cannot be written.
        KeyError: The case does not exist.

    """
    shots = CASES[name]()
    with CameraBag(path) as bag:
        bag.label(START_NS, name.replace('_', ' '))
        for shot in shots:
            bag.frame(
                START_NS + round(shot.time_s * 1e9),
                shot.seen,
                shot.truth,
                START_NS + round(shot.stamp_s * 1e9),
            )
    return path


def main() -> int:
    """Run from the command line; returns the exit code."""
    parser = argparse.ArgumentParser(description=(__doc__ or '').splitlines()[0])
    parser.add_argument('folder', type=Path, help='folder for the bags, one for each case')
    parser.add_argument('names', nargs='*', metavar='NAME', help=', '.join(CASES))
    given = parser.parse_args()
    unknown = sorted(set(given.names) - set(CASES))
    if unknown:
        parser.error(f'no case named {", ".join(unknown)}; known cases: {", ".join(CASES)}')
    given.folder.mkdir(parents=True, exist_ok=True)
    for name in given.names or CASES:
        print(make_case(name, given.folder / name))
    return 0


if __name__ == '__main__':
    sys.exit(main())
