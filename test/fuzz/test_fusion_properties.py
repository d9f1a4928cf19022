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

"""What holds for the fusion of crops over time, whatever the crops, times and settings."""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np
import pytest
from fuzzing import counted, fuzz
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from cfrnet_ros.vision.restoration.fusion import MAX_GAP_S, FrameFusion
from cfrnet_ros.vision.types import FusedCrop

SIDE = 64
#: A picture with edges at several scales, (64, 64, 3) float32, grey values 40 to 215.
SCENE: NDArray[np.float32] = np.asarray(
    128
    + 87
    * np.sin(np.add.outer(np.arange(SIDE) ** 1.5 / 30, np.arange(SIDE) / 4))[..., None]
    * np.array([1.0, 0.8, 0.6]),
    np.float32,
)
SEEDS = st.integers(0, 2**32 - 1)


class Frame(NamedTuple):
    """A crop to be made, and what the fusion is told with it.

    Attributes:
        seed: Seed of the noise.
        sigma: Standard deviation of the noise in grey values.
        shift: Motion of the face in pixels.
        light: Factor of the brightness.
        step_s: Time since the frame before, in seconds.
        key: Key of the geometry.

    """

    seed: int
    sigma: float
    shift: float
    light: float
    step_s: float
    key: int


FRAME = st.builds(
    Frame,
    SEEDS,
    st.sampled_from([0.0, 0.3, 2.0, 10.0, 40.0]),
    st.floats(-6, 6),
    st.sampled_from([0.0, 0.3, 0.9, 1.0, 1.0, 1.1, 1.6]),
    st.sampled_from([-0.1, 0.0, 0.01, 0.033, 0.033, 0.1, MAX_GAP_S, 0.6, 100.0]),
    st.sampled_from([0, 0, 0, 1]),
)
FRAMES = st.lists(FRAME, min_size=1, max_size=8)
HORIZON, STRENGTH = st.integers(2, 64), st.floats(0.01, 1)


def crop_of(frame: Frame) -> NDArray[np.uint8]:
    """Make the crop: the scene, moved, lit and with noise that is coarser than a pixel."""
    move = np.array([[1.0, 0.0, frame.shift], [0.0, 1.0, frame.shift / 2]])
    moved = cv2.warpAffine(SCENE, move, (SIDE, SIDE), borderMode=cv2.BORDER_REFLECT)
    noise = np.random.default_rng(frame.seed).normal(0, 1, SCENE.shape).astype(np.float32)
    noise = np.asarray(cv2.GaussianBlur(noise, (0, 0), 1.0))
    noisy = moved * frame.light + noise * frame.sigma / noise.std()
    return np.clip(noisy, 0, 255).astype(np.uint8)


def play(
    fusion: FrameFusion, frames: list[Frame], strength: float, horizon: int, track: int = 1
) -> list[tuple[NDArray[np.uint8], FusedCrop]]:
    """Show frames; return each crop with its result."""
    now, results = 0.0, []
    for frame in frames:
        now += frame.step_s
        crop = crop_of(frame)
        results.append((crop, fusion.apply(track, crop, strength, horizon, frame.key, now)))
    return results


@fuzz(0.5)
@given(FRAMES, STRENGTH, HORIZON)
@counted
def test_a_fused_crop_is_a_crop_and_its_figures_are_in_their_ranges(
    frames: list[Frame], strength: float, horizon: int
) -> None:
    for crop, fused in play(FrameFusion(), frames, strength, horizon):
        assert fused.crop.shape == crop.shape
        assert fused.crop.dtype == np.uint8
        assert 0 <= fused.moving <= 1
        assert 1 - 1e-5 <= fused.frames <= horizon * (1 + 1e-5)
        if fused.gain is None:
            assert fused.crop is crop
            continue
        assert fused.gain.shape == (SIDE // 2, SIDE // 2)
        assert np.isfinite(fused.gain).all()
        assert 1 / horizon - 1e-6 <= fused.gain.min() <= fused.gain.max() <= 1
        assert fused.frames == pytest.approx(1 / fused.gain.mean(), rel=1e-4)


@fuzz(0.5)
@given(FRAMES, STRENGTH, HORIZON)
@counted
def test_a_new_key_and_a_jump_in_time_pass_the_crop_through(
    frames: list[Frame], strength: float, horizon: int
) -> None:
    results = play(FrameFusion(), frames, strength, horizon)
    for index, (frame, (crop, fused)) in enumerate(zip(frames, results)):
        known = index and frame.key == frames[index - 1].key
        # A crop of the same key may come from the exposure that was seen two frames earlier.
        if not known and frame.key not in {earlier.key for earlier in frames[:index]}:
            assert fused.crop is crop
        if frame.step_s > MAX_GAP_S:
            assert fused.crop is crop


@fuzz(0.3)
@given(FRAMES, FRAMES, STRENGTH, HORIZON)
@counted
def test_tracks_do_not_influence_each_other(
    frames: list[Frame], others: list[Frame], strength: float, horizon: int
) -> None:
    alone = play(FrameFusion(), frames, strength, horizon)
    shared, now, other_now = FrameFusion(), 0.0, 0.0
    for index, frame in enumerate(frames):
        for other in others[index : index + 1]:
            other_now += other.step_s
            shared.apply(2, crop_of(other), strength, horizon, other.key, other_now)
        now += frame.step_s
        fused = shared.apply(1, crop_of(frame), strength, horizon, frame.key, now)
        assert np.array_equal(fused.crop, alone[index][1].crop)


@fuzz(0.3)
@given(FRAMES, st.sampled_from([(0.0, 8, 1), (-1.0, 8, 1), (1.0, 1, 1), (1.0, 8, -1)]))
@counted
def test_nothing_is_fused_or_remembered_when_off(
    frames: list[Frame], off: tuple[float, int, int]
) -> None:
    strength, horizon, track = off
    fusion = FrameFusion()
    for crop, fused in play(fusion, frames, strength, horizon, track):
        assert fused.crop is crop
    crop = crop_of(frames[-1])
    assert fusion.apply(1, crop, 1.0, 16, frames[-1].key, 1e6).crop is crop


@fuzz(0.3)
@given(SEEDS, st.floats(4, 25), st.integers(4, 16))
@counted
def test_a_face_at_rest_loses_noise_and_keeps_its_brightness(
    seed: int, sigma: float, horizon: int
) -> None:
    frames = [Frame(seed + n, sigma, 0.0, 1.0, 0.033, 0) for n in range(8)]
    crop, fused = play(
        FrameFusion(), [f._replace(seed=f.seed % 2**32) for f in frames], 1, horizon
    )[-1]
    before, after = (np.square(one.astype(np.float32) - SCENE).mean() for one in (crop, fused.crop))
    assert after < 0.8 * before
    assert abs(float(fused.crop.mean()) - float(SCENE.mean())) < 2.0


@fuzz(0.3)
@given(SEEDS, st.sampled_from([-0.05, 0.0, MAX_GAP_S + 0.01]))
@counted
def test_forgotten_tracks_start_anew(seed: int, step_s: float) -> None:
    fusion = FrameFusion()
    frame = Frame(seed, 10.0, 0.0, 1.0, 0.033, 0)
    play(fusion, [frame._replace(seed=(seed + n) % 2**32) for n in range(4)], 1, 16)
    crop = crop_of(frame)
    assert fusion.apply(1, crop, 1.0, 16, 0, 4 * 0.033 + step_s).crop is crop
    fusion.keep([2])
    crop = crop_of(frame)
    assert fusion.apply(1, crop, 1.0, 16, 0, 5.0).crop is crop
