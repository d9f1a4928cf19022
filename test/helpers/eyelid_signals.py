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

"""Signals of eye aspect ratios with closures at known times, and a check for the networks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import pytest

from examples.eyelids.network_files import MissingNetworkError, load_interpreter, network_path


def networks_missing() -> str:
    """Return the reason why the landmark networks cannot run here; empty if they can."""
    try:
        for name in ('face_landmark.tflite', 'iris_landmark.tflite'):
            load_interpreter(network_path(name))
    except MissingNetworkError as error:
        return str(error)
    return ''


needs_networks = pytest.mark.skipif(bool(networks_missing()), reason=networks_missing())

Span = tuple[float, float]


def signal(
    closures: Sequence[Span],
    seconds: float = 20.0,
    hz: float = 15.0,
    open_ratio: float = 0.3,
    shut_ratio: float = 0.1,
    noise: float = 0.0,
    seed: int = 0,
) -> Iterator[tuple[float, float]]:
    """Return time and ratio, frame by frame; the lids go down and up within 50 ms."""
    rng = np.random.default_rng(seed)
    for index in range(round(seconds * hz)):
        time_s = index / hz
        depth = max(
            (min(time_s - start, end - time_s) / 0.05 + 0.5 for start, end in closures),
            default=0.0,
        )
        shut = min(max(depth, 0.0), 1.0)
        ratio = open_ratio + shut * (shut_ratio - open_ratio) + noise * rng.standard_normal()
        yield time_s, max(float(ratio), 0.0)
