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

"""Figures by groups of people."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

torch = pytest.importorskip('torch', reason='training needs PyTorch: make test-training')

from training.evaluation.groups.figures import CYCLES, METRICS, summarise  # noqa: E402
from training.evaluation.groups.labels import Dimension, read_seen  # noqa: E402
from training.evaluation.groups.page import list_behind, render  # noqa: E402
from training.evaluation.groups.skin import CHEEKS, ita_deg  # noqa: E402
from training.evaluation.meters import Readings  # noqa: E402

DOCS = Path(__file__).resolve().parents[3] / 'docs'


def studio(
    skin_bgr: tuple[int, int, int], light: tuple[float, float, float] = (1, 1, 1)
) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """Return a flat face before a grey backdrop in coloured light, and the cheeks of its mesh."""
    crop = np.full((256, 256, 3), 215.0)
    crop[60:200, 60:200] = skin_bgr
    mesh = np.zeros((468, 2), np.float32)
    mesh[list(CHEEKS)] = [[90, 150], [170, 150]]
    return np.clip(crop * light, 0, 255).astype(np.uint8), mesh


def test_the_typology_angle_is_that_of_the_skin_and_not_of_the_light() -> None:
    light, dark = (150, 180, 215), (45, 60, 85)
    assert ita_deg(*studio(light)) > 41
    assert ita_deg(*studio(dark)) < 10
    reddish = ita_deg(*studio(light, (0.8, 0.75, 0.9)))
    assert reddish == pytest.approx(ita_deg(*studio(light)), abs=3.0)
    crop, mesh = studio(light)
    lab = cv2.cvtColor(np.array([[light]], np.float32) / 255, cv2.COLOR_BGR2Lab)[0, 0]
    assert ita_deg(crop, mesh) == pytest.approx(
        np.degrees(np.arctan2(lab[0] - 50, lab[2])), abs=0.5
    )


def test_without_a_grey_backdrop_nothing_is_said_of_the_skin() -> None:
    crop, mesh = studio((150, 180, 215))
    crop[:60] = np.random.default_rng(0).integers(0, 256, (60, 256, 3))
    assert np.isnan(ita_deg(crop, mesh))


def people(gains: list[float]) -> list[Readings]:
    rng = np.random.default_rng(4)
    found = []
    for number, gain in enumerate(gains):
        before = 1.0 + 0.05 * rng.random()
        values = {
            str(k): {metric: before * (1.0 - gain * min(k, 2) / 2) for metric in METRICS}
            for k in CYCLES
        }
        found.append(Readings(number, f'{number}.png', values))
    return found


def test_a_group_for_which_restoration_does_less_is_behind() -> None:
    dimension = Dimension('Glasses', {'none': tuple(range(20)), 'clear': tuple(range(20, 30))})
    figures = summarise(dimension, people([0.5] * 20 + [0.3] * 10))
    assert figures['clear']['people'] == 10
    judged = figures['clear']['judged']['lpips']
    assert judged['gain'] == pytest.approx(0.3, abs=1e-6)
    assert judged['ahead'] == pytest.approx(-0.2, abs=1e-6)
    assert judged['behind']
    assert not figures['none']['judged']['lpips']['behind']
    result = {
        'people': 30, 'model': 'm.onnx', 'draws': 2000, 'sets': {'car': {'Glasses': figures}},
    }  # fmt: skip
    assert any('`clear` (Glasses, set `car`): LPIPS' in line for line in list_behind(result))
    assert '| clear | 10 | 0 |' in render(result)


def test_a_group_that_ends_better_than_the_others_is_not_behind() -> None:
    readings = people([0.5] * 20 + [0.3] * 10)
    for face in readings[20:]:
        for row in face.values.values():
            row['lpips'] *= 0.5
    dimension = Dimension('Glasses', {'none': tuple(range(20)), 'sun': tuple(range(20, 30))})
    judged = summarise(dimension, readings)['sun']['judged']['lpips']
    assert judged['ahead'] == pytest.approx(-0.2, abs=1e-6)
    assert not judged['behind']


def test_a_small_group_and_a_small_lag_are_not_judged_as_behind() -> None:
    dimension = Dimension('Age', {'adult': tuple(range(20)), 'child': tuple(range(20, 23))})
    figures = summarise(dimension, people([0.5] * 20 + [0.1] * 3))
    assert figures['child']['judged'] == {}
    dimension = Dimension('Age', {'adult': tuple(range(20)), 'child': tuple(range(20, 30))})
    figures = summarise(dimension, people([0.5] * 20 + [0.48] * 10))
    assert not figures['child']['judged']['lpips']['behind']


def test_what_was_seen_uses_known_words() -> None:
    seen = read_seen()
    assert len(seen) > 20
    assert {row['glasses'] for row in seen.values()} == {'', 'clear', 'sun'}
    assert {row['age'] for row in seen.values()} == {'', 'child', 'old'}
    assert {row['skin'] for row in seen.values()} == {'', 'dark'}


def test_the_page_is_made_of_the_committed_figures() -> None:
    result = json.loads((DOCS / 'groups.json').read_text(encoding='utf-8'))
    assert (DOCS / 'groups.md').read_text(encoding='utf-8') == render(result)
