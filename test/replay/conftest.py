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

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from ros_domains import next_domain

from demo.bad_camera import daylight_noise
from demo.scene import Scene

# Imported by the fixtures: it needs rosbags, which is missing on a build farm.
if TYPE_CHECKING:
    from replays import Command, Played

FRAMES, FPS = 10, 5
_START_NS = 1_700_000_000 * 10**9


@pytest.fixture(autouse=True)
def own_domain(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep every test apart from other ROS nodes on this machine."""
    monkeypatch.setenv('ROS_DOMAIN_ID', str(next_domain()))


@pytest.fixture(scope='session')
def camera_bag(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a bag with 2 s of a face at 5 Hz: raw, truth with the same stamps, and two labels."""
    from demo.bag_frames import CameraBag

    path = tmp_path_factory.mktemp('bags') / 'camera'
    scene, rng = Scene(3), np.random.default_rng(3)
    with CameraBag(path) as bag:
        for index in range(FRAMES):
            now_ns = _START_NS + index * 10**9 // FPS
            clean = scene.frame(index / FPS)
            if index in (0, 5):
                bag.label(now_ns, f'part {index}')
            bag.frame(now_ns, daylight_noise(clean, 0.0, rng), clean)
    return path


@pytest.fixture(scope='session')
def case_bag(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Return a function that makes the bag of a case, once for all workers."""
    from replays import made_once, shared_folder

    from demo.cases import make_case

    folder = shared_folder(tmp_path_factory)

    def get(name: str) -> Path:
        bag: Path = made_once(folder / name, lambda path: make_case(name, path))
        return bag

    return get


@pytest.fixture(scope='session')
def played(
    case_bag: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory
) -> Callable[[str], Played]:
    """Return a function that replays a case deterministically, once for all workers."""
    from replays import made_once, play, shared_folder

    folder = shared_folder(tmp_path_factory)
    done: dict[str, Played] = {}

    def get(name: str) -> Played:
        if name not in done:
            bag = case_bag(name)
            done[name] = made_once(folder / f'played_{name}', lambda out: play(bag, out))
        return done[name]

    return get


@pytest.fixture(scope='session')
def commanded(case_bag: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory) -> Command:
    """Return the case `night`, replayed with the command line once for all workers."""
    from replays import made_once, run_command, shared_folder

    out = shared_folder(tmp_path_factory) / 'commanded'
    done: Command = made_once(out, lambda out: run_command(case_bag('night'), out))
    return done
