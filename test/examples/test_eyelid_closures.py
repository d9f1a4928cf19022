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

"""The detector of closures, on signals whose closures are known."""

from __future__ import annotations

from collections.abc import Iterable

import pytest
from eyelid_signals import Span, signal

from examples.eyelids.closures import Closure, ClosureDetector, DetectorSettings
from examples.eyelids.open_level import OpenLevel

BLINKS: tuple[Span, ...] = ((3.0, 3.2), (5.1, 5.5), (8.02, 8.17), (12.0, 13.6), (16.3, 16.6))


def closures_in(
    measures: Iterable[tuple[float, float]], settings: DetectorSettings | None = None
) -> list[Closure]:
    detector = ClosureDetector(settings)
    found = (detector.add(time_s, ratio) for time_s, ratio in measures)
    return [closure for closure in found if closure is not None]


@pytest.mark.parametrize('hz', [10.0, 15.0, 30.0])
@pytest.mark.parametrize('open_ratio', [0.18, 0.3, 0.45])
def test_closures_are_found_at_the_right_time_for_wide_and_narrow_eyes(
    hz: float, open_ratio: float
) -> None:
    found = closures_in(signal(BLINKS, hz=hz, open_ratio=open_ratio, shut_ratio=0.3 * open_ratio))
    assert len(found) == len(BLINKS)
    for closure, (start, end) in zip(found, BLINKS):
        # A camera's resolution is half a frame at each end, and the lids themselves take 50 ms.
        assert closure.start_s == pytest.approx(start, abs=0.5 / hz + 0.03)
        assert closure.end_s == pytest.approx(end, abs=0.5 / hz + 0.03)
    assert [closure.is_blink for closure in found] == [True, True, True, False, True]


def test_a_blink_is_reported_when_it_ends() -> None:
    detector = ClosureDetector()
    for time_s, ratio in signal([(3.0, 3.3)], seconds=5.0):
        closure = detector.add(time_s, ratio)
        if 3.05 < time_s < 3.25:
            assert detector.shut_since_s == pytest.approx(3.0, abs=0.06)
        if closure is not None:
            assert 3.3 <= time_s <= 3.45
            assert detector.shut_since_s is None


def test_noise_neither_causes_nor_hides_blinks() -> None:
    signals = [list(signal(BLINKS, noise=0.02, seed=seed)) for seed in range(8)]
    found = [closures_in(measures) for measures in signals]
    for closures in found:
        for start, end in BLINKS:
            assert any(abs(c.start_s - start) < 0.14 > abs(c.end_s - end) for c in closures)
    assert sum(map(len, found)) <= 8 * len(BLINKS) + 3
    # With noise of an eighth of the ratio, as at night: fewer than two false ones per minute.
    alone = [closures_in(signal((), noise=0.04, seed=seed)) for seed in range(20)]
    assert sum(map(len, alone)) < 2 * 20 * 20 / 60


def test_noise_estimate_is_not_affected_by_blinks() -> None:
    level = OpenLevel()
    last = None
    for time_s, ratio in signal(BLINKS, noise=0.02, seed=3):
        last = level.add(time_s, ratio)
    assert last is not None
    assert last.noise == pytest.approx(0.02, rel=0.25)
    assert last.open == pytest.approx(0.3, abs=0.02)


def test_a_glance_down_is_not_a_blink() -> None:
    assert closures_in(signal([(4.0, 5.0), (9.0, 10.0)], shut_ratio=0.26)) == []


def test_noise_at_the_limit_does_not_split_a_closure() -> None:
    steady = list(signal([(5.0, 7.0)], shut_ratio=0.2))
    # Every other frame is just below the limit at which eyes count as open again.
    shaken = [
        (t, r + (0.055 if 5.1 < t < 6.9 and index % 2 else 0.0))
        for index, (t, r) in enumerate(steady)
    ]
    found = closures_in(shaken)
    assert len(found) == 1
    assert found[0].duration_s == pytest.approx(2.0, abs=0.1)


def test_missing_frames_lose_no_blink_and_long_gaps_add_none() -> None:
    measures = list(signal([(3.0, 3.4), (8.0, 8.4)], hz=30.0))
    thinned = [m for index, m in enumerate(measures) if index % 3]
    assert len(closures_in(thinned)) == 2
    # The camera fails during the first closure and comes back when the eyes are open.
    torn = [m for m in measures if not 3.2 < m[0] < 5.0]
    found = closures_in(torn)
    assert len(found) == 1
    assert found[0].start_s == pytest.approx(8.0, abs=0.05)


def test_time_jumping_back_resets_the_detector() -> None:
    detector = ClosureDetector()
    for time_s, ratio in signal((), seconds=4.0):
        detector.add(100.0 + time_s, ratio)
    # These eyes are narrower: with the old level they would all count as shut.
    found = [detector.add(t, r) for t, r in signal([(3.0, 3.3)], seconds=6.0, open_ratio=0.15)]
    assert sum(closure is not None for closure in found) == 1


def test_the_open_level_is_relearned_after_a_long_change() -> None:
    settings = DetectorSettings(longest_closure_s=5.0)
    measures = [(t, r if t < 4 else 0.5 * r) for t, r in signal([(15.0, 15.4)], shut_ratio=0.02)]
    found = closures_in(measures, settings)
    assert len(found) == 1
    assert found[0].start_s == pytest.approx(15.0, abs=0.06)


@pytest.mark.parametrize('ratio', [-0.1, float('nan'), float('inf')])
def test_invalid_ratios_are_refused(ratio: float) -> None:
    with pytest.raises(ValueError, match='eye aspect ratio'):
        ClosureDetector().add(0.0, ratio)


def test_settings_out_of_range_are_refused() -> None:
    with pytest.raises(ValueError, match='least_drop must be from'):
        DetectorSettings(least_drop=0.0)
    with pytest.raises(ValueError, match='warm_up_s'):
        OpenLevel(window_s=1.0, warm_up_s=2.0)
