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

"""Restorations are reused only for crops that did not change."""

from __future__ import annotations

import numpy as np
import pytest
from pictures import Frame

from cfrnet_ros.vision.detection.detector import YuNetDetector
from cfrnet_ros.vision.preprocessing.align import align_face
from cfrnet_ros.vision.restoration.reuse import RestorationCache


@pytest.fixture(scope='module')
def crop(detector: YuNetDetector, portrait: Frame) -> Frame:
    return align_face(portrait, detector.detect(portrait)[0].landmarks)[0]


def with_noise(crop: Frame, sigma: float, seed: int) -> Frame:
    noise = np.random.default_rng(seed).normal(0, sigma, crop.shape)
    return np.clip(np.rint(crop + noise), 0, 255).astype(np.uint8)


def test_the_same_crop_is_found_and_noise_within_the_tolerance(crop: Frame) -> None:
    cache: RestorationCache[str] = RestorationCache()
    assert cache.find(3, crop, 'k', 4.0) is None
    cache.store(3, crop, 'k', 'restored')
    assert cache.find(3, crop, 'k', 0.001) == 'restored'
    assert cache.find(3, with_noise(crop, 6, 1), 'k', 4.0) == 'restored'
    assert cache.find(3, with_noise(crop, 60, 1), 'k', 4.0) is None
    assert cache.find(3, crop, 'k', 0.0) is None


def test_a_closed_eye_is_a_change_although_the_mean_hardly_moves(crop: Frame) -> None:
    cache: RestorationCache[str] = RestorationCache()
    cache.store(0, crop, 'k', 'restored')
    closed = crop.copy()
    # Covers the eye with skin from above it.
    closed[108:124, 72:112] = crop[84:100, 72:112]
    assert np.abs(closed.astype(int) - crop).mean() < 1.0
    assert cache.find(0, closed, 'k', 4.0) is None


def test_another_track_or_another_key_finds_nothing(crop: Frame) -> None:
    cache: RestorationCache[str] = RestorationCache()
    cache.store(1, crop, ('settings', 2), 'restored')
    assert cache.find(2, crop, ('settings', 2), 4.0) is None
    assert cache.find(1, crop, ('settings', 3), 4.0) is None
    # An untracked face has no id by which a result could be stored.
    cache.store(-1, crop, ('settings', 2), 'restored')
    assert cache.find(-1, crop, ('settings', 2), 4.0) is None


def test_slow_changes_are_noticed(crop: Frame) -> None:
    cache: RestorationCache[str] = RestorationCache()
    cache.store(0, crop, 'k', 'restored')
    found = [cache.find(0, np.maximum(crop, 30) - i, 'k', 40.0) is not None for i in range(30)]  # type: ignore[arg-type]
    assert found[0]
    fade = [
        cache.find(0, np.clip(crop.astype(int) + i, 0, 255).astype(np.uint8), 'k', 4.0) is not None
        for i in range(10)
    ]
    assert fade == [True] * 5 + [False] * 5


def test_absent_tracks_are_forgotten(crop: Frame) -> None:
    cache: RestorationCache[str] = RestorationCache()
    for track_id in (0, 1):
        cache.store(track_id, crop, 'k', str(track_id))
    cache.keep([1])
    assert cache.find(0, crop, 'k', 4.0) is None
    assert cache.find(1, crop, 'k', 4.0) == '1'
    cache.clear()
    assert cache.find(1, crop, 'k', 4.0) is None
