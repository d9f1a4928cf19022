"""Bags with one difficulty each, a few seconds long: `python -m demo.cases FOLDER [NAME ...]`.

Topics as in the demo's bag (see `make_bag`). The same seed gives the same bag. The person
is the astronaut of `scene`; where nobody is in view there are the cat and the cup of
coffee that scikit-image ships (CC0).
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
#: Longer than the tests wait before they call the input stale.
DROPOUT_S = 3.0
#: By how much the stamps fall in the middle of the bag: a clock that is set back.
JUMP_S = 5.0


@dataclass(frozen=True)
class Shot:
    """One frame.

    Attributes:
        time_s: of recording, from the start of the bag.
        stamp_s: in the header, likewise; may fall.
        seen: (H, W, 3) BGR or (H, W) grey uint8.
        truth: (H, W, 3) uint8 BGR, None if there is none to restore.

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
    """Little light, amplified together with its noise."""
    return _under(bad_camera.low_light, bad_camera.perfect)


def infrared() -> Iterator[Shot]:
    """Grey near infrared, as mono8."""
    return _under(bad_camera.infrared, bad_camera.perfect_infrared)


def glare() -> Iterator[Shot]:
    """Low sun into the lens."""
    return _under(bad_camera.glare, bad_camera.perfect)


def two_people() -> Iterator[Shot]:
    """Driver and passenger, each moving by itself; the passenger sits in the shade."""
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
    """A cat and a cup of coffee: round, symmetrical, and nobody."""
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
    """The camera falls silent for some seconds and returns."""
    for index, shot in enumerate(_under(bad_camera.daylight_noise, bad_camera.perfect)):
        late = DROPOUT_S if index >= FRAMES // 2 else 0.0
        yield Shot(shot.time_s + late, shot.stamp_s + late, shot.seen, shot.truth)


def time_back() -> Iterator[Shot]:
    """The camera's clock is set back in the middle, by more than the bag is long."""
    for index, shot in enumerate(_under(bad_camera.daylight_noise, bad_camera.perfect)):
        back = JUMP_S if index >= FRAMES // 2 else 0.0
        yield Shot(shot.time_s, shot.stamp_s - back, shot.seen, shot.truth)


def still() -> Iterator[Shot]:
    """Nobody moves: only the sensor's noise changes from frame to frame."""
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
    """Write one of `CASES`.

    Args:
        name: key of `CASES`.
        path: folder to make; it must not exist.

    Returns:
        The folder.

    Raises:
        BagError: the folder exists or cannot be written.
        KeyError: no such case.

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
    parser.add_argument('folder', type=Path, help='takes one bag for each case')
    parser.add_argument('names', nargs='*', metavar='NAME', help=', '.join(CASES))
    given = parser.parse_args()
    unknown = sorted(set(given.names) - set(CASES))
    if unknown:
        parser.error(f'no case named {", ".join(unknown)}; there are {", ".join(CASES)}')
    given.folder.mkdir(parents=True, exist_ok=True)
    for name in given.names or CASES:
        print(make_case(name, given.folder / name))
    return 0


if __name__ == '__main__':
    sys.exit(main())
