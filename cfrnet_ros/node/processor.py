"""What the worker thread does with one frame: decode, restore, publish, and account for it."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from threading import Event, Lock
from typing import Any

from rclpy.clock import Clock
from sensor_msgs.msg import CompressedImage, Image

from cfrnet_ros.node.engine import Engine, pipeline_settings
from cfrnet_ros.node.face_report import face_values
from cfrnet_ros.node.images.decoder import ImageDecoder
from cfrnet_ros.node.images.errors import INTERNAL, ImageError
from cfrnet_ros.node.monitor import Monitor, Output
from cfrnet_ros.node.outputs import Outputs
from cfrnet_ros.node.parameters import Settings
from cfrnet_ros.node.throttled_log import ThrottledLog
from cfrnet_ros.vision.pipeline import PipelineResult
from cfrnet_ros.vision.types import RestoredFace

#: Stamps may run ahead of the node's clock by this much without being called
#: wrong: simulated clocks tick coarsely, synchronised ones differ a little.
AHEAD_TOLERANCE_MS = 1000.0


@dataclass(frozen=True)
class Frame:
    """A message on its way, with when it came and during which activation."""

    msg: Image | CompressedImage
    received_at: float
    generation: int


class FrameProcessor:
    """Takes frames through the engine and publishes what comes out.

    `process` and `crashed` run in the worker thread; everything else may be
    called from the executor thread and never waits for inference.
    """

    def __init__(
        self,
        engine: Engine,
        decoder: ImageDecoder,
        outputs: Outputs,
        monitor: Monitor,
        log: ThrottledLog,
        clock: Clock,
        settings: Callable[[], Settings],
    ) -> None:
        """Put the pieces together; nothing is published before `open_gate`."""
        self._engine = engine
        self._decoder = decoder
        self._outputs = outputs
        self._monitor = monitor
        self._log = log
        self._clock = clock
        self._settings = settings
        self._gate = Lock()
        self._generation: int | None = None
        self._reset = Event()
        self._last_stamp_ns = 0

    def open_gate(self, generation: int) -> None:
        """Let frames of this activation out, starting with a fresh tracker."""
        self._reset.set()
        with self._gate:
            self._generation = generation

    def close_gate(self) -> None:
        """Let nothing out any more; when this returns nothing is being published."""
        with self._gate:
            self._generation = None

    def request_reset(self) -> None:
        """Forget tracks before the next frame, for instance because time jumped."""
        self._reset.set()

    def process(self, frame: Frame) -> None:
        """Handle one frame from the mailbox."""
        self._monitor.taken()
        settings = self._settings()
        stages: dict[str, float] = {'wait': (time.monotonic() - frame.received_at) * 1e3}
        # Not rclpy's Time, which refuses the negative seconds that a message can hold.
        stamp = frame.msg.header.stamp
        stamp_ns = stamp.sec * 1_000_000_000 + stamp.nanosec
        if stamp_ns < self._last_stamp_ns:
            # A bag starts over: the tracks belong to another place in time.
            self._reset.set()
        self._last_stamp_ns = stamp_ns
        if self._reset.is_set():
            self._reset.clear()
            self._engine.pipeline.reset()
            self._decoder.reset()

        begun = start = time.perf_counter()
        try:
            image = self._decoder.decode(frame.msg)
        except ImageError as error:
            self._monitor.failed(error.cause)
            self._log.warn(error.cause, f'frame rejected ({error.cause}): {error}')
            self._report(frame, {}, stages, f'{error.cause}: {error}')
            return
        stages['decode'] = (time.perf_counter() - start) * 1e3

        # Without stamps the time of arrival has to do.
        time_s = stamp_ns / 1e9 if stamp_ns > 0 else frame.received_at
        pipeline = self._engine.pipeline
        spent_ms = (time.perf_counter() - begun) * 1e3
        result = pipeline.process(image, pipeline_settings(settings), time_s, spent_ms)
        processed_at = time.perf_counter()
        cycle_ms = _collect_timings(result, stages)

        header, faces = frame.msg.header, result.faces
        start = time.perf_counter()
        with self._gate:
            if self._generation != frame.generation:
                self._monitor.discarded()
                return
            self._outputs.publish_faces(image, faces, header)
            # Asked within the gate: once it is closed the publishers may be gone.
            restored_wanted, debug_wanted = self._outputs.watched()
        publish_ms = (time.perf_counter() - start) * 1e3
        # The crops are out: this is what a consumer waits for.
        age_ms = self._age_ms(stamp_ns)

        restored = debug = None
        if restored_wanted:
            restored = self._outputs.restored_view(image, faces, stages)
        if debug_wanted:
            info = _info_lines(settings.cycles, result, cycle_ms, age_ms)
            debug = self._outputs.debug_view(image, faces, info, stages)
        start = time.perf_counter()
        with self._gate:
            if self._generation == frame.generation:
                self._outputs.publish_views(restored, debug, header)
        stages['publish'] = publish_ms + (time.perf_counter() - start) * 1e3
        stages['total'] = (time.monotonic() - frame.received_at) * 1e3
        pipeline.budget.observe_after((time.perf_counter() - processed_at) * 1e3)

        self._monitor.processed(
            Output(
                stages_ms=stages,
                faces=len(faces),
                cycles_asked=result.cycles_asked,
                cycles_allowed=result.cycles_allowed,
                cycles_used=result.cycles_used,
                residuals=_mean_residuals(faces),
                restored=sum(face.restored for face in faces),
                reused=result.reused,
                refused=result.refused,
                face_values=[face_values(face) for face in faces],
            ),
            age_ms,
        )
        values = {
            'faces/crops': len(faces),
            'faces/restored': sum(face.restored for face in faces),
            'faces/reused': result.reused,
            'cycles/asked': result.cycles_asked,
            'cycles/allowed': result.cycles_allowed,
            'cycles/used': result.cycles_used,
        }
        self._report(frame, values, stages)

    def crashed(self, frame: Frame, error: Exception) -> None:
        """Account for a frame on which `process` raised; the next one is tried again."""
        with self._gate:
            if self._generation != frame.generation:
                self._monitor.discarded()
                return
        text = f'{type(error).__name__}: {error}'
        self._monitor.failed(INTERNAL, text)
        self._log.error('crash', f'frame rejected ({INTERNAL}): {text}')
        self._report(frame, {}, {}, f'{INTERNAL}: {text}')
        # A tracker interrupted halfway may hold half of a frame.
        self._reset.set()

    def _report(
        self,
        frame: Frame,
        values: Mapping[str, object],
        stages: Mapping[str, float],
        rejected: str = '',
    ) -> None:
        """Say what became of a frame, last of all that is sent for it."""
        with self._gate:
            if self._generation == frame.generation:
                self._outputs.publish_frame_status(frame.msg.header, values, stages, rejected)

    def _age_ms(self, stamp_ns: int) -> float | None:
        """Milliseconds since the stamp by the node's clock, None if it says nothing."""
        if stamp_ns <= 0:
            return None
        age_ms = (self._clock.now().nanoseconds - stamp_ns) / 1e6
        return None if age_ms < -AHEAD_TOLERANCE_MS else max(age_ms, 0.0)


def _collect_timings(result: PipelineResult, stages: dict[str, float]) -> list[float]:
    """Put the pipeline's stages into the frame's; return the time of each cycle."""
    timings: dict[str, Any] = result.timings_ms
    for stage in ('detect', 'track', 'align', 'quality', 'identity', 'smooth'):
        # A stage that did not run for this frame would pull its percentiles down.
        if timings.get(stage):
            stages[stage] = float(timings[stage])
    cycles = [float(ms) for ms in timings.get('cycles', ())]
    for number, milliseconds in enumerate(cycles, start=1):
        stages[f'restore_cycle_{number}'] = milliseconds
    return cycles


def _mean_residuals(faces: Sequence[RestoredFace]) -> list[float]:
    """Residual by cycle, mean over the faces that had that cycle."""
    by_cycle: list[list[float]] = []
    for face in faces:
        for cycle, residual in enumerate(face.restoration.residuals):
            if cycle == len(by_cycle):
                by_cycle.append([])
            by_cycle[cycle].append(residual)
    return [sum(values) / len(values) for values in by_cycle]


def _info_lines(
    asked: int, result: PipelineResult, cycle_ms: Sequence[float], age_ms: float | None
) -> list[str]:
    lines = [f'faces {len(result.faces)}  k {result.cycles_used or asked}']
    if result.cycles_allowed < asked:
        lines[0] += f' of {asked}'
    if cycle_ms:
        lines.append('restore ' + ' + '.join(f'{ms:.0f}' for ms in cycle_ms) + ' ms')
    if age_ms is not None:
        lines.append(f'age {age_ms:.0f} ms')
    return lines
