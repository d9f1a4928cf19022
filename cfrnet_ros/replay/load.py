"""Keeping the CPU busy for a while, to see what a load spike does to the node."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from contextlib import AbstractContextManager
from dataclasses import dataclass

#: Ends by itself, so that nothing is left behind even if we are killed.
_BURN = 'import sys, time\nend = time.monotonic() + {:f}\nwhile time.monotonic() < end: pass'


@dataclass(frozen=True)
class LoadSpike:
    """When and how much.

    Attributes:
        start_s: after the first frame of a pass, seconds, 0 or above.
        seconds: how long, above 0.
        processes: how many, each of which keeps one core busy, 1 or above.

    Raises:
        ValueError: a value is out of range.

    """

    start_s: float
    seconds: float
    processes: int

    def __post_init__(self) -> None:
        """Check the ranges."""
        # Written so that NaN is refused as well.
        if not (self.start_s >= 0 and 0 < self.seconds <= 3600 and 1 <= self.processes <= 256):
            raise ValueError(
                'a load spike needs START of 0 or more, SECONDS from 0 to 3600 and PROCESSES from'
                f' 1 to 256; got {self.start_s:g},{self.seconds:g},{self.processes}'
            )

    @classmethod
    def parse(cls, text: str) -> LoadSpike:
        """Read 'START,SECONDS,PROCESSES'.

        Raises:
            ValueError: of another form, or out of range.

        """
        parts = text.split(',')
        if len(parts) != 3:
            raise ValueError(f'expected START,SECONDS,PROCESSES, got {text!r}')
        return cls(float(parts[0]), float(parts[1]), int(parts[2]))


class LoadGenerator(AbstractContextManager['LoadGenerator']):
    """Runs one spike in the background; use it in a `with` statement.

    Attributes:
        spikes: from when to when the processes ran, nanoseconds since the epoch.

    """

    def __init__(self, spike: LoadSpike | None) -> None:
        """Prepare.

        Args:
            spike: None does nothing.

        """
        self.spikes: list[tuple[int, int]] = []
        self._spike = spike
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name='load', daemon=True)

    def begin(self) -> None:
        """Start the clock."""
        self._thread.start()

    def __exit__(self, *exc: object) -> None:
        """End it, also before its time."""
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
