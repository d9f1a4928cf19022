"""A bag of somebody who blinks at known times: `python -m demo.blinks FOLDER`.

The person is the astronaut of `scene`, whose lids `eyelids` draws down. Topics as in the
demo's bag (see `make_bag`), and besides `/dms/truth/eye_openness`, a std_msgs/Float32 a frame,
recorded at the frame's time: 1 for open eyes, 0 for shut ones. The same seed gives the same bag.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from rclpy.serialization import serialize_message
from skimage import data
from std_msgs.msg import Float32

from demo import bad_camera
from demo.bag_frames import START_NS, CameraBag
from demo.eyelids import close_eyes
from demo.scene import BORDER, Scene

Picture = NDArray[np.uint8]

OPENNESS_TOPIC = '/dms/truth/eye_openness'
WIDTH, HEIGHT = 480, 360
FPS = 15
SECONDS = 24.0
SEED = 12

# Blinks of people who are awake last 0.1 to 0.4 s (Caffier, Erdmann, Ullsperger,
# "Experimental evaluation of eye-blink parameters as a drowsiness measure", European Journal
# of Applied Physiology 89, 2003); longer ones are of tired people.
_SHORTEST_S, _LONGEST_S = 0.15, 0.4
#: Length of the one long closure, as of somebody who nods off.
LONG_S = 1.5
# The lids come down faster than they go up.
_CLOSING, _OPENING = 0.3, 0.45
_FIRST_S = 2.0
_PAUSE_S = (0.9, 2.1)
# A look at the instruments: the lids come down with the eyes, and it is no blink.
_GLANCE_S, _GLANCE_OPENNESS = 1.2, 0.72
# Steps in which the lids move; each needs one drawing of the portrait.
_STEPS = 32


@dataclass(frozen=True)
class Closure:
    """The lids go down and up again.

    Attributes:
        start_s: they begin to move.
        end_s: they are open again.

    """

    start_s: float
    end_s: float

    def openness(self, time_s: float) -> float:
        """How far the eyes are open, 0..1, as far as this closure goes."""
        duration = self.end_s - self.start_s
        # A long closure does not close more slowly than a short one.
        unit = min(duration, _LONGEST_S)
        since, left = time_s - self.start_s, self.end_s - time_s
        if since <= 0 or left <= 0:
            return 1.0
        return max(_ease(1 - since / (_CLOSING * unit)), _ease(1 - left / (_OPENING * unit)))


@dataclass(frozen=True)
class Script:
    """What the lids do, and when.

    Attributes:
        closures: in the order of time; one of them is long.
        glance_s: when the glance at the instruments begins.

    """

    closures: tuple[Closure, ...]
    glance_s: float

    def openness(self, time_s: float) -> float:
        """How far the eyes are open at a moment, 0..1."""
        since, left = time_s - self.glance_s, self.glance_s + _GLANCE_S - time_s
        down = 1.0 - max(_ease(1 - since / 0.15), _ease(1 - left / 0.15))
        glance = 1.0 - (1.0 - _GLANCE_OPENNESS) * down if since > 0 and left > 0 else 1.0
        return min(glance, *(closure.openness(time_s) for closure in self.closures))


def write_script(seed: int, seconds: float = SECONDS) -> Script:
    """Choose when the person blinks.

    Args:
        seed: the same one gives the same script.
        seconds: length of the scene, at least 12.

    Returns:
        Blinks of 0.15 to 0.4 s, one closure of 1.5 s and one glance, none of them touching.

    Raises:
        ValueError: a scene too short for all that.

    """
    if seconds < 12:
        raise ValueError(f'a scene must last 12 s or more, got {seconds}')
    rng = np.random.default_rng(seed)
    closures: list[Closure] = []
    glance, now = 0.0, _FIRST_S
    while now < seconds - 1.5:
        if not glance and now > 0.35 * seconds:
            glance, now = now, now + _GLANCE_S + 0.8
        long = now > 0.6 * seconds and all(c.end_s - c.start_s < 1 for c in closures)
        duration = LONG_S if long else float(rng.uniform(_SHORTEST_S, _LONGEST_S))
        if now + duration < seconds - 0.5:
            closures.append(Closure(now, now + duration))
        now += duration + float(rng.uniform(*_PAUSE_S))
    return Script(tuple(closures), glance)


class BlinkingScene(Scene):
    """The portrait's person, who blinks."""

    def __init__(self, seed: int, script: Script) -> None:
        """Choose the movement.

        Args:
            seed: of the camera's movement, see `Scene`.
            script: of the lids.

        """
        super().__init__(seed)
        self._script = script
        self._portrait = np.asarray(cv2.cvtColor(data.astronaut(), cv2.COLOR_RGB2BGR), np.uint8)
        self._plates: dict[int, Picture] = {_STEPS: self._plate}

    def _plate_at(self, time_s: float) -> Picture:
        """Return the plate with the lids where they are at this moment."""
        step = round(_STEPS * self._script.openness(time_s))
        if step not in self._plates:
            plate = self._plate.copy()
            drawn = close_eyes(self._portrait, step / _STEPS)
            # Only the lids: at its rim the portrait already fades into the surroundings.
            lids = (drawn != self._portrait).any(axis=2)
            inside = slice(BORDER, BORDER + self._portrait.shape[0])
            plate[inside, inside][lids] = drawn[lids]
            self._plates[step] = plate
        return self._plates[step]


@dataclass(frozen=True)
class Shot:
    """One frame.

    Attributes:
        time_s: since the start.
        openness: of the eyes, 0..1.
        clean: (H, W, 3) uint8 BGR, of a perfect camera.
        seen: (H, W, 3) BGR or (H, W) grey uint8, of the bad one.
        truth: (H, W, 3) uint8 BGR, what a restorer could hope to get back of `seen`.

    """

    time_s: float
    openness: float
    clean: Picture
    seen: Picture
    truth: Picture


def shots(
    condition: str,
    script: Script,
    seed: int,
    seconds: float = SECONDS,
    size: tuple[int, int] = (WIDTH, HEIGHT),
) -> Iterator[Shot]:
    """Film the scene with a bad camera.

    Args:
        condition: name in `bad_camera.CONDITIONS`.
        script: of the lids.
        seed: of movement and noise.
        seconds: length.
        size: width and height of the camera's picture in pixels.

    Raises:
        KeyError: no such condition.

    """
    see, truth_of = _conditions()[condition]
    scene, rng = BlinkingScene(seed, script), np.random.default_rng(seed)
    for index in range(round(seconds * FPS)):
        now = index / FPS
        picture = scene.frame(now)
        clean = np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), np.uint8)
        yield Shot(now, script.openness(now), clean, see(clean, now, rng), truth_of(clean))


def make_bag(
    path: Path, condition: str = 'Low light', seed: int = SEED, seconds: float = SECONDS
) -> Script:
    """Write the bag.

    Args:
        path: folder to make; it must not exist.
        condition: name in `bad_camera.CONDITIONS`.
        seed: of blinks, movement and noise.
        seconds: how much of the scene is filmed.

    Returns:
        What the lids do in the whole scene.

    Raises:
        BagError: the folder exists or cannot be written.
        KeyError: no such condition.

    """
    script = write_script(seed)
    with CameraBag(path) as bag:
        bag.add_topic(OPENNESS_TOPIC, 'std_msgs/msg/Float32')
        bag.label(START_NS, condition)
        for shot in shots(condition, script, seed, seconds):
            now_ns = START_NS + round(shot.time_s * 1e9)
            bag.frame(now_ns, shot.seen, shot.truth)
            openness = serialize_message(Float32(data=shot.openness))
            bag.write_canonical(OPENNESS_TOPIC, now_ns, openness)
    return script


def main(arguments: Sequence[str] | None = None) -> int:
    """Run from the command line; returns the exit code."""
    parser = argparse.ArgumentParser(description=(__doc__ or '').splitlines()[0])
    parser.add_argument('folder', type=Path, help='bag to make')
    parser.add_argument('--condition', default='Low light', choices=sorted(_conditions()))
    parser.add_argument('--seed', type=int, default=SEED)
    given = parser.parse_args(arguments)
    script = make_bag(given.folder, given.condition, given.seed)
    for closure in script.closures:
        print(f'{closure.start_s:6.2f} s to {closure.end_s:6.2f} s')
    return 0


def _conditions() -> dict[str, tuple[bad_camera.Condition, bad_camera.Truth]]:
    return {name: (condition, truth) for name, condition, truth in bad_camera.CONDITIONS}


def _ease(share: float) -> float:
    """Go smoothly from 0 to 1 (half a cosine), and stay there."""
    return 0.5 - 0.5 * float(np.cos(np.pi * min(max(share, 0.0), 1.0)))


if __name__ == '__main__':
    sys.exit(main())
