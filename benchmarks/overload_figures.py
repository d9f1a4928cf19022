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

"""Figures of a run under overload, window by window, and what they must show."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

#: Frames that the node may hold: one that is processed and one in the mailbox.
MOST_IN_FLIGHT = 2
#: Growth in MB of the resident memory from the first to the last third of a run that counts as
#: none: the allocator of glibc keeps freed blocks of this order.
MEMORY_MB = 10.0
#: Longest time in seconds between two diagnostics messages, which are due once a second.
DIAGNOSTICS_S = 5.0
#: Ratio of the last third's figure to the first third's that counts as no drift.
DRIFT = 1.25


@dataclass(frozen=True)
class Window:
    """What happened in one window of the run.

    Attributes:
        seconds: Length of the window, in seconds.
        sent: Number of images that were published.
        received: Number of images that reached the node.
        processed: Number of frames that were processed to the end.
        dropped: Number of frames that were replaced by a newer one.
        rejected: Number of frames that could not be used.
        lost: Number of images that the middleware reported as lost.
        most_in_flight: Largest number of frames that the node held at once.
        unaccounted: Number of diagnostics messages whose counts do not add up.
        age_p50_ms: Median time from sending an image to receiving its crop, in milliseconds.
        age_p95_ms: 95th percentile of the same, in milliseconds.
        cpu_ms: Processor time of the node for each processed frame, in milliseconds.
        resident_mb: Resident memory of the node at the end of the window, in MB.
        threads: Number of threads of the node at the end of the window.
        descriptors: Number of open file descriptors of the node at the end of the window.
        diagnostics_gap_s: Longest time between two diagnostics messages, in seconds.
        parameters_set: Number of parameter changes that the node accepted and then reported back.
        parameters_failed: Number of parameter changes that it did not answer or report back.
        parameters_slowest_ms: Longest time for a change and reading it back, in milliseconds.
        machine_load: Load average of the machine over the last minute.

    """

    seconds: float
    sent: int
    received: int
    processed: int
    dropped: int
    rejected: int
    lost: int
    most_in_flight: int
    unaccounted: int
    age_p50_ms: float
    age_p95_ms: float
    cpu_ms: float
    resident_mb: float
    threads: int
    descriptors: int
    diagnostics_gap_s: float
    parameters_set: int
    parameters_failed: int
    parameters_slowest_ms: float
    machine_load: float

    @property
    def overload(self) -> float:
        """Received images for each processed frame: 2 is twice the rate that the node sustains."""
        return self.received / max(1, self.processed)

    @property
    def age_in_frames(self) -> float:
        """Median age in units of the time that the node takes for a frame.

        Other processes on the machine slow both alike, so that a queue that grows is still seen.
        """
        return self.age_p50_ms * self.processed / (1000 * self.seconds)


def account(counts: Mapping[str, int]) -> bool:
    """Return whether the counts of a diagnostics message add up to the received frames.

    Args:
        counts: Counts by name, such as 'received', 'processed' and 'in_flight'.

    """
    parts = ('processed', 'dropped', 'skipped', 'rejected', 'in_flight')
    return counts['received'] == sum(counts[part] for part in parts)


def thirds(values: Sequence[float]) -> tuple[float, float]:
    """Return the medians of the first and of the last third of the values, at least one of each."""
    size = max(1, len(values) // 3)
    return float(np.median(values[:size])), float(np.median(values[-size:]))


def failures(windows: Sequence[Window]) -> list[str]:
    """Return what the run should have shown and did not; empty if all is well.

    Args:
        windows: Windows of the run in their order, at least one.

    """
    found = []
    most = max(w.most_in_flight for w in windows)
    if most > MOST_IN_FLIGHT:
        found.append(f'the node held {most} frames at once, more than {MOST_IN_FLIGHT}')
    wrong = sum(w.unaccounted for w in windows)
    if wrong:
        found.append(f'the counts of {wrong} diagnostics messages do not add up')
    first, last = thirds([w.resident_mb for w in windows])
    if last - first > MEMORY_MB:
        found.append(f'memory grew from {first:.0f} to {last:.0f} MB')
    judged = {'age in frame times': [w.age_in_frames for w in windows]}
    calm, busy = thirds([w.machine_load for w in windows])
    if busy <= DRIFT * calm:
        # Other work on the machine slows each frame: it takes the caches and the bandwidth.
        judged['processor time for a frame'] = [w.cpu_ms for w in windows]
    for what, values in judged.items():
        first, last = thirds(values)
        if last > DRIFT * first:
            found.append(f'the {what} grew from {first:.2f} to {last:.2f}')
    for what, numbers in (
        ('threads', [w.threads for w in windows]),
        ('descriptors', [w.descriptors for w in windows]),
    ):
        first, last = thirds(numbers)
        if last > first:
            found.append(f'the number of {what} grew from {first:.0f} to {last:.0f}')
    gap = max(w.diagnostics_gap_s for w in windows)
    if gap > DIAGNOSTICS_S:
        found.append(f'no diagnostics came for {gap:.1f} s')
    failed = sum(w.parameters_failed for w in windows)
    if failed or not all(w.parameters_set for w in windows):
        found.append(f'{failed} parameter changes failed, or a window had none')
    return found


def summary(windows: Sequence[Window]) -> dict[str, Any]:
    """Return the totals of a run, the first and last third of what could drift, and the failures.

    Args:
        windows: Windows of the run in their order, at least one.

    """
    totals = {
        name: sum(getattr(w, name) for w in windows)
        for name in ('sent', 'received', 'processed', 'dropped', 'rejected', 'lost')
    }
    drifting = (
        *('age_p50_ms', 'age_p95_ms', 'cpu_ms', 'resident_mb', 'threads', 'descriptors'),
        'machine_load',
    )
    return {
        'seconds': round(sum(w.seconds for w in windows), 1),
        'frames': totals,
        'overload_median': round(float(np.median([w.overload for w in windows])), 2),
        'most_in_flight': max(w.most_in_flight for w in windows),
        'first_and_last_third': {
            name: [round(v, 2) for v in thirds([getattr(w, name) for w in windows])]
            for name in (*drifting, 'age_in_frames')
        },
        'diagnostics_gap_s': round(max(w.diagnostics_gap_s for w in windows), 2),
        'parameters_set': sum(w.parameters_set for w in windows),
        'parameters_failed': sum(w.parameters_failed for w in windows),
        'parameters_slowest_ms': round(max(w.parameters_slowest_ms for w in windows), 1),
        'failures': failures(windows),
        'windows': [
            {k: round(v, 2) if isinstance(v, float) else v for k, v in asdict(w).items()}
            for w in windows
        ],
    }
