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

"""Writes where the time of each frame goes, as a trace that Perfetto and chrome://tracing open.

Format: the JSON array of the "Trace Event Format" (Google, 2016). Its last bracket may be missing,
so that the trace of a node that was killed can be read too.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from threading import Lock
from typing import Any

from cfrnet_ros.node.throttled_log import ThrottledLog
from cfrnet_ros.vision.frame_record import FrameRecord
from cfrnet_ros.vision.stages import Stage, StageClock

#: Size of a file in bytes at which a trace ends: about 20 minutes at 30 frames a second, and as
#: much as a browser opens at once.
MAX_BYTES = 64 << 20

#: Rows of the trace: the time in the mailbox, and the work of the worker thread. Further lanes of
#: the worker have the rows after it.
_MAILBOX, _WORKER = 1, 2


class FrameTrace:
    """A file of trace events.

    A frame has an event `frame` on the row of its lane, which contains one event for each stretch
    of a stage; the mailbox's row has `wait`, and a span of its own, `message`, reaches from the
    arrival of the image until its last message is sent. Times are in microseconds of
    `time.perf_counter`. Thread-safe.
    """

    def __init__(
        self, path: Path, log: ThrottledLog, max_bytes: int = MAX_BYTES, lanes: int = 1
    ) -> None:
        """Begin a file; a file that cannot be written is logged, and nothing is traced then.

        Args:
            path: Path of the file.
            log: Log for errors.
            max_bytes: Size in bytes at which the trace ends.
            lanes: Number of frames that are worked on at once.

        """
        self._path, self._log, self._left = path, log, max_bytes
        self._lock = Lock()
        self._frames = 0
        self._file: Any = None
        try:
            self._file = path.open('w', encoding='utf-8')
            self._file.write('[\n')
        except OSError as error:
            self._fail(error)
            return
        names = [('process_name', 0, f'cfrnet {os.getpid()}')]
        names += [('thread_name', _MAILBOX, 'mailbox'), ('thread_name', _WORKER, 'worker')]
        names += [('thread_name', _WORKER + n, f'worker {n + 1}') for n in range(1, lanes)]
        self._write(
            [
                {'ph': 'M', 'name': kind, 'tid': row, 'args': {'name': name}}
                for kind, row, name in names
            ]
        )

    def add(self, received_s: float, clock: StageClock, record: FrameRecord, lane: int = 0) -> None:
        """Write the events of a frame that has been processed.

        Args:
            received_s: Time at which its message arrived, in seconds by `time.perf_counter`.
            clock: Clock of the frame, to which `Stage.TOTAL` has been added.
            record: Account of the frame.
            lane: Lane that worked on the frame, counted from 0.

        """
        row = _WORKER + lane
        with self._lock:
            if self._file is None:
                return
            self._frames += 1
            start_us, total_us = received_s * 1e6, record.stages_ms[Stage.TOTAL] * 1e3
            taken_us, end_us = clock.started_s * 1e6, received_s * 1e6 + total_us
            told = {
                'frame': self._frames,
                'faces': record.passed_on,
                'restored': record.restored,
                'cycles': record.cycles_used,
            }
            whole = {'cat': 'message', 'id': self._frames, 'name': 'message', 'tid': _MAILBOX}
            events: list[dict[str, Any]] = [
                {**whole, 'ph': 'b', 'ts': start_us, 'args': told},
                {**whole, 'ph': 'e', 'ts': end_us},
                _slice('wait', _MAILBOX, start_us, taken_us - start_us),
                {**_slice('frame', row, taken_us, end_us - taken_us), 'args': told},
            ]
            events += [
                _slice(span.stage.value, row, span.start_s * 1e6, span.ms * 1e3)
                for span in sorted(clock.spans, key=lambda span: span.start_s)
            ]
            self._write(events)

    def close(self) -> None:
        """Finish the file; frames that come later are not written."""
        with self._lock:
            self._finish()

    def _write(self, events: list[dict[str, Any]]) -> None:
        lines = [json.dumps({'pid': os.getpid(), **event}) + ',\n' for event in events]
        self._left -= sum(map(len, lines))
        if self._left < 0:
            self._log.warn('trace', f'the trace {self._path} is full and ends here')
            self._finish()
            return
        try:
            self._file.writelines(lines)
            self._file.flush()
        except OSError as error:
            self._fail(error)

    def _finish(self) -> None:
        file, self._file = self._file, None
        if file is None:
            return
        # The last event has no comma after it, so that the file is JSON.
        last = {'ph': 'M', 'name': 'process_sort_index', 'pid': os.getpid()}
        try:
            with file:
                file.write(json.dumps({**last, 'args': {'sort_index': 0}}) + '\n]\n')
        except OSError as error:
            self._fail(error)

    def _fail(self, error: OSError) -> None:
        self._file = None
        self._log.error(
            'trace',
            f'cannot write the trace: {error}; name a file in a folder that exists and has space,'
            ' in the parameter trace_file',
        )


def _slice(name: str, row: int, start_us: float, length_us: float) -> dict[str, Any]:
    """Return a complete event, rounded to nanoseconds."""
    times = {'ts': round(start_us, 3), 'dur': round(length_us, 3)}
    return {'ph': 'X', 'name': name, 'tid': row, **times}
