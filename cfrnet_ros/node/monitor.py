"""What happened to the frames: counts, rates and latencies, safe to use from all threads."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from threading import Lock

from cfrnet_ros.node.face_report import FaceValue
from cfrnet_ros.node.images.errors import CAUSES
from cfrnet_ros.node.latency import EventWindow, LatencyWindow, Percentiles
from cfrnet_ros.vision.quality.face_quality import REASONS

#: Stages in the order in which a frame passes them; `restore_cycle_<i>` stand
#: between quality and identity.
STAGES_BEFORE = ('wait', 'decode', 'detect', 'track', 'align', 'quality')
STAGES_AFTER = ('identity', 'smooth', 'blend', 'debug', 'publish', 'total', 'age')


@dataclass(frozen=True)
class Output:
    """What one processed frame gave.

    Attributes:
        stages_ms: duration by stage, only of the stages that ran.
        faces: number of faces passed on.
        cycles_asked: the parameter's value for that frame.
        cycles_used: most that any face has behind it, 0 without a restored face.
        residuals: by cycle, mean over the faces, 0..1.
        cycles_allowed: what the latency budget allowed each face.
        restored: faces that were restored, in this frame or an equal earlier one.
        reused: those of an earlier one.
        refused: number of faces passed on unrestored, by reason.
        face_values: of each face what `face_report.face_values` tells.

    """

    stages_ms: Mapping[str, float]
    faces: int
    cycles_asked: int
    cycles_used: int
    residuals: Sequence[float]
    cycles_allowed: int = 0
    restored: int = 0
    reused: int = 0
    refused: Mapping[str, int] = field(default_factory=dict)
    face_values: Sequence[Mapping[str, FaceValue]] = ()


@dataclass(frozen=True)
class Report:
    """A consistent copy of the monitor's numbers.

    Every received frame is in exactly one of processed, dropped, rejected and
    in_flight. Counts are since the node started; rates, shares and latencies
    are over the window.
    """

    received: int
    processed: int
    dropped: int
    rejected: Mapping[str, int]
    in_flight: int
    input_hz: float
    output_hz: float
    drop_share: float
    recent_received: int
    recent_rejected: Mapping[str, int]
    latency: Mapping[str, Percentiles]
    age_unusable: int
    last: Output | None
    faces_per_frame: float
    faces_passed: int
    faces_restored: int
    faces_reused: int
    faces_refused: Mapping[str, int]
    since_image_s: float | None
    since_processed_s: float | None
    since_face_s: float | None
    active_s: float
    busy_s: float
    failure: str | None


@dataclass
class _Counts:
    received: int = 0
    processed: int = 0
    dropped: int = 0
    rejected: dict[str, int] = field(default_factory=lambda: dict.fromkeys(CAUSES, 0))
    waiting: int = 0
    working: int = 0
    age_unusable: int = 0
    faces: int = 0
    restored: int = 0
    reused: int = 0
    refused: dict[str, int] = field(default_factory=lambda: dict.fromkeys(REASONS, 0))


class Monitor:
    """Keeps the account of the frames.

    Call `received` for each message, then exactly one of `refused` (not put into
    the mailbox) or `queued`; for a queued one `replaced` or `taken`; for a taken
    one `processed`, `failed` or `discarded`.
    """

    def __init__(self) -> None:
        """Start with nothing received."""
        self._lock = Lock()
        self._counts = _Counts()
        self._input = EventWindow()
        self._output = EventWindow()
        self._drops = EventWindow()
        self._rejects = {cause: EventWindow() for cause in CAUSES}
        self._faces: LatencyWindow = LatencyWindow()
        self._stages: dict[str, LatencyWindow] = {}
        self._last: Output | None = None
        self._last_image: float | None = None
        self._last_processed: float | None = None
        self._last_face: float | None = None
        self._active_since: float | None = None
        self._working_since: float | None = None
        self._failure: str | None = None

    def activated(self) -> None:
        """Start the clocks for rates and for "nothing seen since"; totals go on."""
        with self._lock:
            for window in (self._input, self._output, self._drops, *self._rejects.values()):
                window.clear()
            self._faces.clear()
            self._stages.clear()
            self._last_image = self._last_processed = self._last_face = None
            self._active_since = time.monotonic()
            self._last = None
            self._failure = None

    def deactivated(self) -> None:
        """Stop the clocks."""
        with self._lock:
            self._active_since = None

    def time_jumped(self) -> None:
        """Forget the ages: they were measured against another clock."""
        with self._lock:
            self._stages.pop('age', None)

    def queued(self) -> None:
        """Count a message that arrived and waits for the worker."""
        with self._lock:
            self._arrive()
            self._counts.waiting += 1

    def refused(self, cause: str) -> None:
        """Count a message that arrived and was rejected on the spot."""
        with self._lock:
            self._arrive()
            self._reject(cause)

    def replaced(self) -> None:
        """Count a waiting frame that gave way to a newer one or to a deactivation."""
        with self._lock:
            self._counts.waiting -= 1
            self._drop()

    def taken(self) -> None:
        """Note that the worker took the waiting frame."""
        with self._lock:
            self._counts.waiting -= 1
            self._counts.working += 1
            self._working_since = time.monotonic()

    def discarded(self) -> None:
        """Count a taken frame whose result is not wanted any more."""
        with self._lock:
            self._leave_work()
            self._drop()

    def failed(self, cause: str, failure: str | None = None) -> None:
        """Count a taken frame as rejected.

        Args:
            cause: one of `images.errors.CAUSES`.
            failure: for a fault of the engine, not of the frame, what happened.

        """
        with self._lock:
            self._leave_work()
            self._reject(cause)
            if failure is not None:
                self._failure = failure

    def processed(self, output: Output, age_ms: float | None) -> None:
        """Count a frame that went all the way.

        Args:
            output: what it gave.
            age_ms: header stamp to output, None if the stamp says nothing.

        """
        with self._lock:
            now = time.monotonic()
            self._leave_work()
            self._counts.processed += 1
            self._output.add(now)
            self._failure = None
            self._last_processed = now
            self._last = output
            self._faces.add(now, float(output.faces))
            self._counts.faces += output.faces
            self._counts.restored += output.restored
            self._counts.reused += output.reused
            for reason, number in output.refused.items():
                self._counts.refused[reason] += number
            if output.faces:
                self._last_face = now
            stages = dict(output.stages_ms)
            if age_ms is None:
                self._counts.age_unusable += 1
            else:
                stages['age'] = age_ms
            for stage, milliseconds in stages.items():
                self._stages.setdefault(stage, LatencyWindow()).add(now, milliseconds)

    def report(self, window_s: float) -> Report:
        """Copy everything at one moment, with rates over the last `window_s` seconds."""
        with self._lock:
            now = time.monotonic()
            active_s = 0.0 if self._active_since is None else now - self._active_since
            # Shortly after activation the window is not full yet.
            span = max(min(window_s, active_s), 1e-3)
            received = self._input.count(now, span)
            latency: dict[str, Percentiles] = {}
            for stage in sorted(self._stages, key=_stage_order):
                percentiles = self._stages[stage].percentiles(now, span)
                if percentiles is not None:
                    latency[stage] = percentiles
            faces = self._faces.mean(now, span)
            rejected = {c: w.count(now, span) for c, w in self._rejects.items()}
            counts = self._counts
            return Report(
                received=counts.received,
                processed=counts.processed,
                dropped=counts.dropped,
                rejected=dict(counts.rejected),
                in_flight=counts.waiting + counts.working,
                input_hz=received / span,
                output_hz=self._output.count(now, span) / span,
                drop_share=self._drops.count(now, span) / received if received else 0.0,
                recent_received=received,
                recent_rejected={c: n for c, n in rejected.items() if n},
                latency=latency,
                age_unusable=counts.age_unusable,
                last=self._last,
                faces_per_frame=faces,
                faces_passed=counts.faces,
                faces_restored=counts.restored,
                faces_reused=counts.reused,
                faces_refused=dict(counts.refused),
                since_image_s=_since(now, self._last_image),
                since_processed_s=_since(now, self._last_processed),
                since_face_s=_since(now, self._last_face),
                active_s=active_s,
                busy_s=_since(now, self._working_since) or 0.0,
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
        if self._counts.working == 0:
            self._working_since = None


def _since(now: float, then: float | None) -> float | None:
    return None if then is None else now - then


def _stage_order(stage: str) -> tuple[int, int, str]:
    if stage in STAGES_BEFORE:
        return 0, STAGES_BEFORE.index(stage), stage
    if stage in STAGES_AFTER:
        return 2, STAGES_AFTER.index(stage), stage
    number = stage.rpartition('_')[2]
    return 1, int(number) if number.isdigit() else 0, stage
