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

"""Makes a bag of a person who blinks at known times: `python -m demo.blinks FOLDER`.

The person is the astronaut of `scene`, whose lids `eyelids` draws down. The topics are those of the
demo's bag (see `make_bag`) and `/dms/truth/eye_openness`, a std_msgs/Float32 per frame, recorded at
the frame's time: 1 for open eyes, 0 for shut ones. The same seed gives the same bag.
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
# of Applied Physiology 89, 2003); longer ones are a sign of tiredness.
_SHORTEST_S, _LONGEST_S = 0.15, 0.4
#: Length in seconds of the one long closure, like that of a person who falls asleep.
LONG_S = 1.5
# Shares of a blink in which the lids move; they close faster than they open.
_CLOSING, _OPENING = 0.3, 0.45
_FIRST_S = 2.0
_PAUSE_S = (0.9, 2.1)
# A glance at the instruments: the lids follow the eyes down, which is not a blink.
_GLANCE_S, _GLANCE_OPENNESS = 1.2, 0.72
# Number of positions of the lids; each needs one drawing of the portrait.
_STEPS = 32


@dataclass(frozen=True)
class Closure:
    """A closure of the eyes: the lids go down and up again.

    Attributes:
        start_s: Time at which the lids begin to move, in seconds.
        end_s: Time at which the eyes are open again, in seconds.

    """

    start_s: float
    end_s: float

    def openness(self, time_s: float) -> float:
        """Return the openness of the eyes during this closure, 0..1; 1 outside of it."""
        duration = self.end_s - self.start_s
        # The lids move as fast in a long closure as in a short one.
        unit = min(duration, _LONGEST_S)
        since, left = time_s - self.start_s, self.end_s - time_s
        if since <= 0 or left <= 0:
            return 1.0
        return max(_ease(1 - since / (_CLOSING * unit)), _ease(1 - left / (_OPENING * unit)))


@dataclass(frozen=True)
class Script:
    """Movements of the lids over time.

    Attributes:
        closures: Closures in the order of time; one of them is long.
        glance_s: Time at which the glance at the instruments begins, in seconds.

    """

    closures: tuple[Closure, ...]
    glance_s: float

    def openness(self, time_s: float) -> float:
        """Return the openness of the eyes at a time in seconds, 0..1."""
        since, left = time_s - self.glance_s, self.glance_s + _GLANCE_S - time_s
        down = 1.0 - max(_ease(1 - since / 0.15), _ease(1 - left / 0.15))
        glance = 1.0 - (1.0 - _GLANCE_OPENNESS) * down if since > 0 and left > 0 else 1.0
        return min(glance, *(closure.openness(time_s) for closure in self.closures))


def write_script(seed: int, seconds: float = SECONDS) -> Script:
    """Choose the times at which the person blinks.

    Args:
        seed: Seed of the random numbers; the same seed gives the same script.
        seconds: Length of the scene in seconds, at least 12.

    Returns:
        Script with blinks of 0.15 to 0.4 s, one closure of 1.5 s and one glance, all apart.

    Raises:
        ValueError: The scene is too short for the script.

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
    """Scene in which the person of the portrait blinks."""

    def __init__(self, seed: int, script: Script) -> None:
        """Choose the movement of the camera.

        Args:
            seed: Seed of the camera's movement, as in `Scene`.
            script: Movements of the lids.

        """
        super().__init__(seed)
        self._script = script
        self._portrait = np.asarray(cv2.cvtColor(data.astronaut(), cv2.COLOR_RGB2BGR), np.uint8)
        self._plates: dict[int, Picture] = {_STEPS: self._plate}

    def _plate_at(self, time_s: float) -> Picture:
        """Return the plate with the lids in their position at a time in seconds."""
        step = round(_STEPS * self._script.openness(time_s))
        if step not in self._plates:
            plate = self._plate.copy()
            drawn = close_eyes(self._portrait, step / _STEPS)
            # Only the lids are copied: at its edge the portrait fades into the surroundings.
            lids = (drawn != self._portrait).any(axis=2)
            inside = slice(BORDER, BORDER + self._portrait.shape[0])
            plate[inside, inside][lids] = drawn[lids]
            self._plates[step] = plate
        return self._plates[step]


@dataclass(frozen=True)
class Shot:
    """One frame of the scene.

    Attributes:
        time_s: Time since the start, in seconds.
        openness: Openness of the eyes, 0..1.
        clean: (H, W, 3) uint8 BGR picture of a perfect camera.
        seen: (H, W, 3) BGR or (H, W) grey uint8 picture of the bad camera.
        truth: (H, W, 3) uint8 BGR picture, the best that a restorer could recover from `seen`.

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
    """Yield the frames of the scene as a bad camera sees it.

    Args:
        condition: Name of a condition in `bad_camera.CONDITIONS`.
        script: Movements of the lids.
        seed: Seed of movement and noise.
        seconds: Length of the scene in seconds.
        size: Width and height of the camera's picture in pixels.

    Raises:
        KeyError: The condition does not exist.

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
        path: Folder to create; it must not exist yet.
        condition: Name of a condition in `bad_camera.CONDITIONS`.
        seed: Seed of blinks, movement and noise.
        seconds: Length of the filmed part of the scene, in seconds.

    Returns:
        Movements of the lids in the whole scene.

    Raises:
        BagError: The folder exists or cannot be written.
        KeyError: The condition does not exist.

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
    parser.add_argument('folder', type=Path, help='folder of the bag to create')
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
    """Rise smoothly from 0 to 1 (half a cosine), and stay at 1."""
    return 0.5 - 0.5 * float(np.cos(np.pi * min(max(share, 0.0), 1.0)))


if __name__ == '__main__':
    sys.exit(main())
