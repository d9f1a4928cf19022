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

"""Account of the frames: counts, rates and latencies. All of it is thread-safe."""

from __future__ import annotations

import time
from collections import defaultdict, deque
from collections.abc import Mapping
from dataclasses import dataclass
from threading import Lock

from cfrnet_ros.node.counts import Counts
from cfrnet_ros.node.images.errors import CAUSES
from cfrnet_ros.node.latency import EventWindow, LatencyWindow, Percentiles
from cfrnet_ros.vision.frame_record import FrameRecord
from cfrnet_ros.vision.quality.face_quality import REASONS
from cfrnet_ros.vision.stages import Stage


@dataclass(frozen=True)
class Report:
    """A consistent copy of the monitor's figures.

    Rates, shares, means and percentiles are over the window of `Monitor.report`.

    Attributes:
        counts: Totals since the node started.
        input_hz: Number of messages received per second.
        output_hz: Number of frames processed per second.
        drop_share: Share of the received frames that were dropped, 0..1.
        recent_received: Number of messages received in the window.
        recent_lost: Number of images lost on the way in the window.
        recent_rejected: Number of frames rejected in the window, by cause, without zeros.
        recent_faces: Number of faces passed on in the window, restored or not.
        recent_refused: Number of faces passed on unrestored in the window, by reason, without
            zeros.
        recent_eyes_flagged: Number of restored faces in the window whose eyes changed by more than
            `max_eye_change`.
        latency: Percentiles by stage, in the order of `Stage`, for the stages that ran.
        last: Account of the last processed frame since activation, None before the first.
        faces_per_frame: Mean number of faces passed on with a frame.
        since_image_s: Seconds since the last message, None before the first.
        since_processed_s: Seconds since the last processed frame, None before the first.
        since_face_s: Seconds since the last face, None before the first.
        active_s: Seconds since the activation, 0 while the node is not active.
        busy_s: Seconds for which the worker has been processing the oldest of its frames, 0 if it
            has none.
        failure: Description of the engine's fault in the last frame, None if there was none.

    """

    counts: Counts
    input_hz: float
    output_hz: float
    drop_share: float
    recent_received: int
    recent_lost: int
    recent_rejected: Mapping[str, int]
    recent_faces: int
    recent_refused: Mapping[str, int]
    recent_eyes_flagged: int
    latency: Mapping[Stage, Percentiles]
    last: FrameRecord | None
    faces_per_frame: float
    since_image_s: float | None
    since_processed_s: float | None
    since_face_s: float | None
    active_s: float
    busy_s: float
    failure: str | None


class Monitor:
    """Keeps the account of the frames.

    For each message, call exactly one of `queued`, `skipped` and `refused` (the last two are not
    put into the mailbox); for a queued frame, exactly one of `replaced` and `taken`; for a taken
    frame, exactly one of `processed`, `failed` and `discarded`, in the order of `taken`.
    """

    def __init__(self) -> None:
        """Start with nothing received."""
        self._lock = Lock()
        self._counts = Counts()
        self._input = EventWindow()
        self._output = EventWindow()
        self._drops = EventWindow()
        self._lost: LatencyWindow = LatencyWindow()
        self._rejects = {cause: EventWindow() for cause in CAUSES}
        self._faces: LatencyWindow = LatencyWindow()
        self._refused = {reason: LatencyWindow() for reason in REASONS}
        self._eyes_flagged: LatencyWindow = LatencyWindow()
        self._stages: defaultdict[Stage, LatencyWindow] = defaultdict(LatencyWindow)
        self._last: FrameRecord | None = None
        self._last_image: float | None = None
        self._last_processed: float | None = None
        self._last_face: float | None = None
        self._active_since: float | None = None
        # Times at which the frames in work were taken; frames leave in that order.
        self._working_since: deque[float] = deque()
        self._failure: str | None = None

    def activated(self) -> None:
        """Start new windows and times since the last event; the totals are kept."""
        with self._lock:
            for window in (self._input, self._output, self._drops, *self._rejects.values()):
                window.clear()
            windows = (self._faces, self._lost, self._eyes_flagged, *self._refused.values())
            for numbers in windows:
                numbers.clear()
            self._stages.clear()
            self._last_image = self._last_processed = self._last_face = None
            self._active_since = time.monotonic()
            self._last = None
            self._failure = None

    def deactivated(self) -> None:
        """Note that the node is not active any more."""
        with self._lock:
            self._active_since = None

    def time_jumped(self) -> None:
        """Forget the ages, since they were measured against another clock."""
        with self._lock:
            self._stages.pop(Stage.AGE, None)

    def queued(self) -> None:
        """Count a message that arrived and waits for the worker."""
        with self._lock:
            self._arrive()
            self._counts.waiting += 1

    def skipped(self) -> None:
        """Count a message that arrived sooner than `max_fps` allows."""
        with self._lock:
            self._arrive()
            self._counts.skipped += 1

    def refused(self, cause: str) -> None:
        """Count a message that was rejected on arrival.

        Args:
            cause: Cause of the rejection, one of `images.errors.CAUSES`.

        """
        with self._lock:
            self._arrive()
            self._reject(cause)

    def lost(self, number: int) -> None:
        """Count images that were lost between the camera and this node."""
        with self._lock:
            self._counts.lost += number
            self._lost.add(time.monotonic(), float(number))

    def replaced(self) -> None:
        """Count a waiting frame that was replaced by a newer one or removed on deactivation."""
        with self._lock:
            self._counts.waiting -= 1
            self._drop()

    def taken(self) -> None:
        """Note that the worker took the waiting frame, which may be beside others."""
        with self._lock:
            self._counts.waiting -= 1
            self._counts.working += 1
            self._working_since.append(time.monotonic())

    def discarded(self) -> None:
        """Count a taken frame whose result is not published, since the node was deactivated."""
        with self._lock:
            self._leave_work()
            self._drop()

    def failed(self, cause: str, failure: str | None = None) -> None:
        """Count a taken frame as rejected.

        Args:
            cause: Cause of the rejection, one of `images.errors.CAUSES`.
            failure: Description of the engine's fault, None if the frame itself was at fault.

        """
        with self._lock:
            self._leave_work()
            self._reject(cause)
            if failure is not None:
                self._failure = failure

    def processed(self, record: FrameRecord) -> None:
        """Count a frame that was processed to the end.

        Args:
            record: Account of the frame; without `Stage.AGE` if its age is not known.

        """
        with self._lock:
            now = time.monotonic()
            self._leave_work()
            self._counts.add(record)
            self._counts.age_unusable += Stage.AGE not in record.stages_ms
            self._output.add(now)
            self._failure = None
            self._last_processed = now
            self._last = record
            self._faces.add(now, float(record.passed_on))
            for reason, number in record.refused.items():
                self._refused[reason].add(now, float(number))
            self._eyes_flagged.add(now, float(record.eyes_flagged))
            if record.passed_on:
                self._last_face = now
            for stage, milliseconds in record.stages_ms.items():
                self._stages[stage].add(now, milliseconds)

    def report(self, window_s: float) -> Report:
        """Return a copy of all figures at one moment.

        Args:
            window_s: Length in seconds of the window for rates, shares, means and percentiles.

        """
        with self._lock:
            now = time.monotonic()
            active_s = 0.0 if self._active_since is None else now - self._active_since
            # Shortly after activation the window is longer than the time that has passed.
            span = max(min(window_s, active_s), 1e-3)
            received = self._input.count(now, span)
            latency: dict[Stage, Percentiles] = {}
            for stage in Stage:
                window = self._stages.get(stage)
                percentiles = window.percentiles(now, span) if window else None
                if percentiles is not None:
                    latency[stage] = percentiles
            rejected = {c: w.count(now, span) for c, w in self._rejects.items()}
            refused = {r: int(w.total(now, span)) for r, w in self._refused.items()}
            return Report(
                counts=self._counts.copy(),
                input_hz=received / span,
                output_hz=self._output.count(now, span) / span,
                drop_share=self._drops.count(now, span) / received if received else 0.0,
                recent_received=received,
                recent_lost=int(self._lost.total(now, span)),
                recent_rejected={c: n for c, n in rejected.items() if n},
                recent_faces=int(self._faces.total(now, span)),
                recent_refused={r: n for r, n in refused.items() if n},
                recent_eyes_flagged=int(self._eyes_flagged.total(now, span)),
                latency=latency,
                last=self._last,
                faces_per_frame=self._faces.mean(now, span),
                since_image_s=_since(now, self._last_image),
                since_processed_s=_since(now, self._last_processed),
                since_face_s=_since(now, self._last_face),
                active_s=active_s,
                busy_s=now - self._working_since[0] if self._working_since else 0.0,
                failure=self._failure,
            )

    def _arrive(self) -> None:
        self._counts.received += 1
        self._last_image = time.monotonic()
        self._input.add(self._last_image)

    def _drop(self) -> None:
        self._counts.dropped += 1
        self._drops.add(time.monotonic())

    def _reject(self, cause: str) -> None:
        self._counts.rejected[cause] += 1
        self._rejects[cause].add(time.monotonic())

    def _leave_work(self) -> None:
        self._counts.working -= 1
        if self._working_since:
            self._working_since.popleft()


def _since(now: float, then: float | None) -> float | None:
    return None if then is None else now - then
