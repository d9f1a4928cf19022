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

"""What a machine can do, in one sentence: frames a second with each number of cycles."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cfrnet_ros.replay.plan import ReplayLog


@dataclass(frozen=True)
class Speed:
    """Frames a second that the node can process with a number of cycles.

    Attributes:
        cycles: Number of cycles.
        hz: Frames a second.
        ms: Median time of a frame in milliseconds, without waiting.

    """

    cycles: int
    hz: float
    ms: float


def speeds_of(passes: Sequence[Mapping[str, Any]]) -> list[Speed]:
    """Return the speed of each pass in which a frame was timed.

    Args:
        passes: Figures of the passes, as `results.summarise` returns them.

    """
    return [
        Speed(each['cycles'], 1000 / each['work_p50_ms'], each['work_p50_ms'])
        for each in passes
        if each['work_p50_ms']
    ]


def camera_hz(log: ReplayLog) -> float | None:
    """Return the rate of the images in the bag, in frames a second; None if it is not known."""
    times = [frame.bag_time_ns for frame in log.passes[0].frames]
    seconds = (times[-1] - times[0]) / 1e9
    return (len(times) - 1) / seconds if seconds > 0 else None


def rate_text(hz: float) -> str:
    """Format a rate: '7.3' below ten, '12' above."""
    return f'{hz:.2g}' if hz < 9.95 else f'{hz:.0f}'


def listing(speeds: Sequence[Speed]) -> str:
    """Return for instance 'k = 1 at 12 frames a second, k = 2 at 7.1'; '' without any speed."""
    parts = [f'k = {each.cycles} at {rate_text(each.hz)}' for each in speeds]
    if parts:
        parts[0] += ' frames a second'
    return ', '.join(parts)


def advice(speeds: Sequence[Speed], hz: float | None) -> str:
    """Say which number of cycles keeps up with the camera.

    Args:
        speeds: Speeds of the passes.
        hz: Rate of the camera in frames a second, None if it is not known.

    Returns:
        Sentence; '' if it would say nothing.

    """
    if not speeds or not hz:
        return ''
    camera = f"the camera's {rate_text(hz)} a second"
    keeping_up = [each.cycles for each in speeds if each.hz >= hz]
    if len(keeping_up) == len(speeds):
        return f'Each of them keeps up with {camera}.'
    if keeping_up:
        return (
            f'Up to k = {max(keeping_up)} the node keeps up with {camera}; above that it drops the'
            ' older frames.'
        )
    fastest = max(speeds, key=lambda each: each.hz)
    return (
        f'None of them keeps up with {camera}: with k = {fastest.cycles} the node would process'
        f' {round(100 * fastest.hz / hz)}% of the frames, always the newest one.'
    )
