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

"""Films a person who blinks at known times with a bad camera.

The person is the astronaut of `scene`, whose lids `eyelids` draws down. The same seed gives the
same pictures. `blinks_bag` makes a bag of them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray
from skimage import data

from demo import bad_camera
from demo.eyelids import close_eyes
from demo.scene import BORDER, Scene

Picture = NDArray[np.uint8]

WIDTH, HEIGHT = 480, 360
FPS = 15
SECONDS = 24.0

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

    @property
    def seen_bgr(self) -> Picture:
        """Picture of the bad camera as (H, W, 3) uint8 BGR, as the node's pipeline takes it."""
        if self.seen.ndim == 3:
            return self.seen
        return np.asarray(cv2.cvtColor(self.seen, cv2.COLOR_GRAY2BGR), np.uint8)


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
    conditions = {name: (see, truth_of) for name, see, truth_of in bad_camera.CONDITIONS}
    see, truth_of = conditions[condition]
    scene, rng = BlinkingScene(seed, script), np.random.default_rng(seed)
    for index in range(round(seconds * FPS)):
        now = index / FPS
        picture = scene.frame(now)
        clean = np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), np.uint8)
        yield Shot(now, script.openness(now), clean, see(clean, now, rng), truth_of(clean))


def _ease(share: float) -> float:
    """Rise smoothly from 0 to 1 (half a cosine), and stay at 1."""
    return 0.5 - 0.5 * float(np.cos(np.pi * min(max(share, 0.0), 1.0)))
