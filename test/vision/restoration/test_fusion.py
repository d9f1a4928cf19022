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

"""Fusion of a face's crops over time: less noise at rest, nothing late, nothing smeared."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from skimage import data

from cfrnet_ros.vision.restoration.fusion import (
    EXAMINED,
    EXPOSURES,
    MAX_GAP_S,
    PAUSE,
    FrameFusion,
)
from cfrnet_ros.vision.types import FusedCrop
from demo.eyelids import close_eyes

Picture = NDArray[np.uint8]

HZ, SIZE = 30, 256
#: Left, top and side of the astronaut's face in the portrait.
LEFT, TOP, SIDE = 148, 40, 152


def portrait(openness: float = 1.0, shift: float = 0.0, turn_deg: float = 0.0) -> Picture:
    """Return the aligned face of the astronaut, with the lids at an openness, moved and turned."""
    picture = np.asarray(cv2.cvtColor(data.astronaut(), cv2.COLOR_RGB2BGR), np.uint8)
    if openness < 1:
        picture = np.asarray(close_eyes(picture, openness), np.uint8)
    scale = SIZE / SIDE
    matrix = np.array([[scale, 0, -LEFT * scale + shift], [0, scale, -TOP * scale]])
    turn = np.vstack([cv2.getRotationMatrix2D((SIZE / 2, SIZE / 2), turn_deg, 1.0), [0, 0, 1]])
    whole = turn @ np.vstack([matrix, [0, 0, 1]])
    return np.asarray(cv2.warpAffine(picture, whole[:2], (SIZE, SIZE)), np.uint8)


def noisy(clean: Picture, rng: np.random.Generator, sigma: float = 14.0) -> Picture:
    """Return a picture with noise that is coarser than a pixel, as an upscaled crop's is."""
    noise = cv2.GaussianBlur(rng.normal(0, 1, clean.shape).astype(np.float32), (0, 0), 1.0)
    return np.clip(clean + noise * sigma / noise.std(), 0, 255).astype(np.uint8)


class Film:
    """Fuses frames that are 1/30 s apart.

    Attributes:
        last: Result of the last frame.

    """

    def __init__(self, strength: float = 1.0, horizon: int = 16, seed: int = 0) -> None:
        """Start without frames."""
        self.fusion, self.rng = FrameFusion(), np.random.default_rng(seed)
        self.strength, self.horizon, self.time_s = strength, horizon, 0.0
        self.last = FusedCrop(np.zeros((SIZE, SIZE, 3), np.uint8))

    def show(
        self, clean: Picture, sigma: float = 14.0, after_s: float = 1 / HZ, track: int = 3
    ) -> tuple[Picture, FusedCrop]:
        """Return the noisy picture of the camera and what became of it."""
        self.time_s += after_s
        seen = noisy(clean, self.rng, sigma) if sigma else clean
        self.last = self.fusion.apply(
            track, seen, self.strength, self.horizon, 'geometry', self.time_s
        )
        return seen, self.last

    def rest(self, clean: Picture, frames: int = 12, sigma: float = 14.0) -> FusedCrop:
        """Show a face at rest for some frames."""
        for _ in range(frames):
            self.show(clean, sigma)
        return self.last


def coarse_error(picture: Picture, truth: Picture, where: tuple[slice, slice]) -> float:
    """Return the RMS error of a part, averaged over 9 px, so that noise counts little."""
    error = np.asarray(cv2.blur(picture.astype(np.float32) - truth, (9, 9)))[where]
    return float(np.sqrt(np.mean(np.square(error))))


EYES = (slice(85, 140), slice(60, 200))


def test_noise_of_a_face_at_rest_falls_as_in_an_average_of_several_frames() -> None:
    film, clean = Film(), portrait()
    fused = film.rest(clean)
    seen, _ = film.show(clean)
    assert cv2.PSNR(fused.crop, clean) > cv2.PSNR(seen, clean) + 5.0
    assert fused.frames > 5
    assert fused.moving < 0.1
    assert fused.gain is not None
    assert fused.gain.shape == (SIZE // 2, SIZE // 2)


def test_first_frame_of_a_track_is_passed_through_at_once() -> None:
    film, clean = Film(), portrait()
    seen, fused = film.show(clean)
    assert fused.crop is seen
    assert (fused.frames, fused.moving, fused.gain) == (1.0, 1.0, None)


def test_each_frame_at_rest_adds_one_to_the_average() -> None:
    film, clean = Film(), portrait()
    # The gain is an average over the crop, in a few places of which noise looks like motion.
    for number in range(1, 5):
        _, fused = film.show(clean, track=0)
        assert 0.75 * number <= fused.frames <= number + 0.01


@pytest.mark.parametrize('sigma', [8.0, 25.0])
def test_noise_of_a_face_at_rest_leaves_no_specks(sigma: float) -> None:
    specks = []
    for seed in (0, 1):
        film, clean = Film(seed=seed), portrait()
        film.rest(clean, 12, sigma)
        for _ in range(20):
            _, fused = film.show(clean, sigma)
            assert fused.gain is not None
            # At the margin, parts of the face come into the crop that were not in it before.
            passed = (fused.gain[12:-12, 12:-12] > 0.3).astype(np.uint8)
            specks.append(cv2.connectedComponents(passed)[0] - 1)
    # A speck is a place where one frame's noise is shown beside the average of many.
    assert float(np.mean(specks)) < 0.3


def test_horizon_limits_the_frames_in_the_average() -> None:
    assert 2.5 < Film(horizon=4).rest(portrait(), 20).frames <= 4.0


def test_strength_blends_the_fused_crop_with_the_cameras() -> None:
    film, clean = Film(strength=0.5), portrait()
    film.rest(clean)
    seen, half = film.show(clean)
    full = Film()
    full.rest(clean)
    _, whole = full.show(clean)
    expected = (seen.astype(np.float32) + whole.crop) / 2
    assert np.abs(half.crop - expected).max() <= 1.0


@pytest.mark.parametrize(
    ('strength', 'horizon', 'track'), [(0.0, 16, 3), (1.0, 1, 3), (1.0, 16, -1)]
)
def test_nothing_is_fused_when_off_or_without_a_track(
    strength: float, horizon: int, track: int
) -> None:
    film = Film(strength, horizon)
    for _ in range(4):
        seen, fused = film.show(portrait(), track=track)
        assert fused.crop is seen


@pytest.mark.parametrize('openness', [0.0, 0.5])
def test_lids_move_without_delay(openness: float) -> None:
    film, shut = Film(), portrait(openness)
    film.rest(portrait())
    for _ in range(2):
        seen, fused = film.show(shut)
        # The lids of this very frame are shown: the error is that of the noise, not of a ghost.
        assert coarse_error(fused.crop, shut, EYES) < 1.3 * coarse_error(seen, shut, EYES)
    opened = portrait()
    seen, fused = film.show(opened)
    assert coarse_error(fused.crop, opened, EYES) < 1.3 * coarse_error(seen, opened, EYES)
    assert coarse_error(portrait(0.5), opened, EYES) > 2 * coarse_error(seen, opened, EYES)


def test_rest_of_the_face_stays_fused_while_the_lids_move() -> None:
    film, shut = Film(), portrait(0.0)
    film.rest(portrait())
    seen, fused = film.show(shut)
    chin = (slice(170, 250), slice(80, 180))
    before, after = (
        float(np.mean((one[chin].astype(np.float32) - shut[chin]) ** 2))
        for one in (seen, fused.crop)
    )
    assert after < 0.4 * before
    assert 0.0 < fused.moving < 0.3


def scenes() -> Iterator[tuple[str, Callable[[int], Picture]]]:
    """Yield scenes with motion, as functions from the number of the frame to its clean crop."""
    still = portrait()
    yield 'a shaken head', lambda i: portrait(shift=9 * np.sin(0.9 * i))
    yield 'a tilting head', lambda i: portrait(turn_deg=6 * np.sin(0.7 * i))
    yield (
        'a hand',
        lambda i: np.asarray(
            cv2.rectangle(still.copy(), (24 * i - 60, 60), (24 * i, 255), (90, 120, 170), -1),
            np.uint8,
        ),
    )
    yield 'a fading light', lambda i: np.asarray(still * (1 - 0.03 * i), np.uint8)
    yield 'a light switched off', lambda i: np.asarray(still * (1.0 if i < 7 else 0.5), np.uint8)
    ramp = np.linspace(-6, 6, SIZE)
    yield (
        'a passing shadow',
        lambda i: np.asarray(
            still * (1 - 0.5 / (1 + np.exp(4 * (ramp - i + 6))))[:, None], np.uint8
        ),
    )


@pytest.mark.parametrize(('name', 'frame'), list(scenes()), ids=[name for name, _ in scenes()])
def test_no_ghost_appears_and_nothing_lags_behind(
    name: str, frame: Callable[[int], Picture]
) -> None:
    film, whole = Film(), (slice(12, 244), slice(12, 244))
    film.rest(frame(0), 8)
    for index in range(14):
        clean = frame(index)
        seen, fused = film.show(clean)
        assert coarse_error(fused.crop, clean, whole) < 1.15 * coarse_error(seen, clean, whole), (
            name
        )


def test_both_exposures_of_a_strobed_lamp_are_fused() -> None:
    assert EXPOSURES == 2
    film, bright = Film(), portrait()
    dark = np.asarray(bright * 0.4, np.uint8)
    for index in range(24):
        clean = dark if index % 2 else bright
        seen, fused = film.show(clean)
        if index >= 22:
            assert cv2.PSNR(fused.crop, clean) > cv2.PSNR(seen, clean) + 4.0
            assert abs(float(fused.crop.mean()) - float(clean.mean())) < 2.0


@pytest.mark.parametrize('after_s', [MAX_GAP_S + 0.1, 0.0, -1.0])
def test_a_jump_in_time_starts_anew(after_s: float) -> None:
    film, clean = Film(), portrait()
    film.rest(clean)
    seen, fused = film.show(clean, after_s=after_s)
    assert fused.crop is seen


def test_another_person_in_the_same_track_is_not_mixed_with_the_first() -> None:
    film, other = Film(), np.ascontiguousarray(portrait()[::-1])
    film.rest(portrait())
    whole = (slice(0, SIZE), slice(0, SIZE))
    seen, fused = film.show(other)
    assert coarse_error(fused.crop, other, whole) < 1.15 * coarse_error(seen, other, whole)


def test_forgotten_tracks_start_anew() -> None:
    film, clean = Film(), portrait()
    film.rest(clean)
    film.fusion.keep([5])
    seen, fused = film.show(clean)
    assert fused.crop is seen
    film.rest(clean)
    film.fusion.reset()
    seen, fused = film.show(clean)
    assert fused.crop is seen


def test_a_camera_without_noise_is_left_alone() -> None:
    film = Film()
    for index in range(2 * PAUSE):
        # A face that moves as well: motion is not noise.
        seen, fused = film.show(portrait(shift=0.5 * index), sigma=0)
        assert index < 2 or fused.crop is seen


def test_a_camera_without_noise_is_examined_again_after_a_pause() -> None:
    film, clean = Film(), portrait()
    for _ in range(EXAMINED):
        film.show(clean, sigma=0)
    for _ in range(PAUSE - 1):
        seen, fused = film.show(clean)
        assert fused.crop is seen
    # The noise that is remembered rises by a twentieth a frame, from next to nothing.
    frames = [film.show(clean)[1].frames for _ in range(160)]
    assert max(frames) > 3


def test_grey_crops_stay_grey() -> None:
    film = Film()
    grey = np.asarray(cv2.cvtColor(portrait(), cv2.COLOR_BGR2GRAY), np.uint8)
    for _ in range(6):
        film.time_s += 1 / HZ
        seen = noisy(grey, film.rng)
        fused = film.fusion.apply(
            1, np.asarray(cv2.merge([seen] * 3), np.uint8), 1.0, 16, 0, film.time_s
        )
    assert np.ptp(fused.crop, axis=2).max() == 0
    assert fused.frames > 3


def test_same_frames_give_the_same_bytes() -> None:
    results = []
    for _ in range(2):
        film = Film(seed=4)
        film.rest(portrait(), 4)
        results.append(film.show(portrait(shift=2))[1].crop)
    assert np.array_equal(results[0], results[1])
