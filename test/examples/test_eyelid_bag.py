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

"""The bag of known blinks contains what its script says."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from rclpy.serialization import deserialize_message
from std_msgs.msg import Float32

from cfrnet_ros.replay.bag_reader import BagReader
from demo.bag_frames import IMAGE_TOPIC, START_NS, TRUTH_TOPIC
from demo.blinks import (
    FPS,
    HEIGHT,
    LONG_S,
    SECONDS,
    WIDTH,
    BlinkingScene,
    write_script,
)
from demo.blinks_bag import OPENNESS_TOPIC, make_bag
from demo.scene import Scene


@pytest.mark.parametrize('seed', [1, 2, 12])
def test_a_script_has_blinks_one_long_closure_and_a_glance(seed: int) -> None:
    script = write_script(seed)
    durations = [closure.end_s - closure.start_s for closure in script.closures]
    assert len(durations) >= 8
    assert sum(duration == pytest.approx(LONG_S) for duration in durations) == 1
    assert all(0.15 <= d <= 0.4 for d in durations if d != pytest.approx(LONG_S))
    for before, after in zip(script.closures, script.closures[1:]):
        assert after.start_s - before.end_s > 0.8
    assert 0 < script.closures[0].start_s < script.closures[-1].end_s < SECONDS
    # In every closure the lids are halfway down in some frame, so a camera can see it.
    frames = np.arange(round(SECONDS * FPS)) / FPS
    for closure in script.closures:
        inside = frames[(frames > closure.start_s) & (frames < closure.end_s)]
        assert min(script.openness(float(now)) for now in inside) < 0.5
    assert 0.6 < script.openness(script.glance_s + 0.6) < 0.8
    assert script.openness(script.closures[0].start_s - 0.1) == 1.0


def test_a_scene_too_short_for_its_script_is_refused() -> None:
    with pytest.raises(ValueError, match='12 s or more'):
        write_script(1, 5.0)


def test_open_eyes_leave_the_scene_unchanged() -> None:
    script = write_script(3)
    blinking, plain = BlinkingScene(3, script), Scene(3)
    assert np.array_equal(blinking.frame(0.4), plain.frame(0.4))
    first = script.closures[0]
    middle = (2 * first.start_s + first.end_s) / 3
    changed = (blinking.frame(middle) != plain.frame(middle)).any(axis=2)
    # Only two eyes of about 20 x 15 pixels change.
    assert 100 < changed.sum() < 1200


def test_the_bag_is_reproducible_and_has_pictures_and_openness(tmp_path: Path) -> None:
    script = make_bag(tmp_path / 'first' / 'blinks', seconds=2.4)
    make_bag(tmp_path / 'second' / 'blinks', seconds=2.4)
    first, second = (tmp_path / name / 'blinks' / 'blinks.mcap' for name in ('first', 'second'))
    assert first.read_bytes() == second.read_bytes()
    with BagReader(tmp_path / 'first' / 'blinks') as bag:
        counts = [sum(1 for _ in bag.messages(topic)) for topic in (IMAGE_TOPIC, TRUTH_TOPIC)]
        told = [
            ((message.time_ns - START_NS) / 1e9, deserialize_message(message.data, Float32).data)
            for message in bag.messages(OPENNESS_TOPIC)
        ]
    assert counts == [36, 36]
    assert len(told) == 36
    for now, openness in told:
        assert openness == pytest.approx(script.openness(now), abs=1e-6)
    assert min(openness for _, openness in told) < 0.5
    assert first.stat().st_size > 36 * 3 * WIDTH * HEIGHT
