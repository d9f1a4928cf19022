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

"""Keeps the CPU busy for a while, to show how the node behaves during a load spike."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from contextlib import AbstractContextManager
from dataclasses import dataclass

#: Program that ends by itself, so that no process is left behind even if the replay is killed.
_BURN = 'import sys, time\nend = time.monotonic() + {:f}\nwhile time.monotonic() < end: pass'


@dataclass(frozen=True)
class LoadSpike:
    """Start, length and size of a load spike.

    Attributes:
        start_s: Start after the first frame of a pass, in seconds, 0 or above.
        seconds: Length in seconds, above 0.
        processes: Number of processes, 1 or above; each keeps one core busy.

    Raises:
        ValueError: A value is out of range.

    """

    start_s: float
    seconds: float
    processes: int

    def __post_init__(self) -> None:
        """Check the ranges."""
        # This form of the comparison refuses NaN as well.
        if not (self.start_s >= 0 and 0 < self.seconds <= 3600 and 1 <= self.processes <= 256):
            raise ValueError(
                'a load spike needs START of 0 or more, SECONDS from 0 to 3600 and PROCESSES from'
                f' 1 to 256; got {self.start_s:g},{self.seconds:g},{self.processes}'
            )

    @classmethod
    def parse(cls, text: str) -> LoadSpike:
        """Parse 'START,SECONDS,PROCESSES'.

        Raises:
            ValueError: The text has another form, or a value is out of range.

        """
        parts = text.split(',')
        if len(parts) != 3:
            raise ValueError(f'expected START,SECONDS,PROCESSES, got {text!r}')
        return cls(float(parts[0]), float(parts[1]), int(parts[2]))


class LoadGenerator(AbstractContextManager['LoadGenerator']):
    """Runs one spike in the background; to be used in a `with` statement.

    Attributes:
        spikes: Start and end of each time that the processes ran, in nanoseconds since the
            epoch.

    """

    def __init__(self, spike: LoadSpike | None) -> None:
        """Prepare the spike without starting it.

        Args:
            spike: Spike to run; None for no load.

        """
        self.spikes: list[tuple[int, int]] = []
        self._spike = spike
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name='load', daemon=True)

    def begin(self) -> None:
        """Start the clock from which `LoadSpike.start_s` counts."""
        self._thread.start()

    def __exit__(self, *exc: object) -> None:
        """End the processes, even before the spike is over."""
        self._stop.set()
        if self._thread.ident is not None:
            self._thread.join()

    def _run(self) -> None:
        spike = self._spike
        if spike is None or self._stop.wait(spike.start_s):
            return
        start = time.time_ns()
        command = [sys.executable, '-I', '-S', '-c', _BURN.format(spike.seconds)]
        processes = [subprocess.Popen(command) for _ in range(spike.processes)]
        self._stop.wait(spike.seconds)
        for process in processes:
            process.terminate()
        for process in processes:
            process.wait()
        self.spikes.append((start, time.time_ns()))
