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

"""The demo's bag is reproducible, and its face can be found under every condition."""

from __future__ import annotations

import numpy as np
import pytest

from cfrnet_ros.vision.detection.detector import YuNetDetector
from cfrnet_ros.vision.engine.providers import choose_providers
from demo.bad_camera import CONDITIONS, to_linear, to_srgb
from demo.make_bag import FPS, FRAMES_PER_CONDITION, SEED
from demo.scene import HEIGHT, WIDTH, Scene


def test_the_demo_bag_is_long_enough() -> None:
    assert FRAMES_PER_CONDITION * len(CONDITIONS) / FPS >= 10


def test_the_same_seed_gives_the_same_pictures() -> None:
    one, other, different = Scene(SEED).frame(1.0), Scene(SEED).frame(1.0), Scene(8).frame(1.0)
    assert one.shape == (HEIGHT, WIDTH, 3)
    assert np.array_equal(one, other)
    assert not np.array_equal(one, different)
    for _, condition, _ in CONDITIONS:
        first = condition(one, 0.5, np.random.default_rng(1))
        assert np.array_equal(first, condition(one, 0.5, np.random.default_rng(1)))


def test_linear_light_round_trip() -> None:
    levels = np.arange(256, dtype=np.uint8).reshape(1, 256)
    assert np.array_equal(to_srgb(to_linear(levels)), levels)


@pytest.mark.parametrize('number', range(len(CONDITIONS)), ids=[c[0] for c in CONDITIONS])
def test_the_face_is_found_and_has_the_size_of_a_drivers_face(number: int) -> None:
    detector = YuNetDetector(None, choose_providers('cpu'), 480, 1)
    scene, rng = Scene(SEED), np.random.default_rng(SEED)
    for within in (0, FRAMES_PER_CONDITION - 1):
        clean = scene.frame((number * FRAMES_PER_CONDITION + within) / FPS)
        seen = CONDITIONS[number][1](clean, within / FPS, rng)
        truth = CONDITIONS[number][2](clean)
        assert truth.shape == clean.shape
        bgr = seen if seen.ndim == 3 else np.repeat(seen[..., None], 3, axis=2)
        faces = detector.detect(np.ascontiguousarray(bgr), 0.6)
        assert len(faces) == 1
        assert 70 <= faces[0].height <= 130
