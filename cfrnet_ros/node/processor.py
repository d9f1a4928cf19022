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

"""Steps of a frame in the worker's threads: decode, restore, publish, and count it."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from threading import Event, Lock

from rclpy.clock import Clock

from cfrnet_ros.node.engine import Engine
from cfrnet_ros.node.frame_in_work import DecodedFrame, Frame, FrameInWork
from cfrnet_ros.node.frame_times import FrameTimes
from cfrnet_ros.node.images.decoder import ImageDecoder
from cfrnet_ros.node.images.errors import INTERNAL, ImageError
from cfrnet_ros.node.monitor import Monitor
from cfrnet_ros.node.outputs import Outputs
from cfrnet_ros.node.parameters import Settings
from cfrnet_ros.node.throttled_log import ThrottledLog
from cfrnet_ros.node.trace import FrameTrace
from cfrnet_ros.vision.camera_rotation import rotate, rotate_back
from cfrnet_ros.vision.frame_record import FrameRecord
from cfrnet_ros.vision.pipeline import PipelineResult
from cfrnet_ros.vision.stages import RESTORE_CYCLES, Stage, StageClock, ms_since
from cfrnet_ros.vision.views.compositor import blend_faces
from cfrnet_ros.vision.views.debug_view import draw_debug

#: Time in milliseconds by which a stamp may be ahead of the node's clock and still count as valid:
#: simulated clocks have coarse steps, and synchronised clocks differ a little.
AHEAD_TOLERANCE_MS = 1000.0


class FrameProcessor:
    """Runs frames through the engine and publishes the results.

    `prepare`, `restore`, `complete` and `crashed` are the steps of a `Worker` and run in its
    threads. All other methods may be called from the executor thread and never wait for inference.
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
        trace: FrameTrace | None = None,
    ) -> None:
        """Keep the parts; nothing is published before `open_gate`.

        Args:
            engine: Engine, loaded and warmed up.
            decoder: Decoder of the messages.
            outputs: Topics that the results are published on.
            monitor: Monitor that keeps the account of the frames.
            log: Log for events of single frames.
            clock: Clock of the node, to which header stamps are compared.
            settings: Function that returns the current parameters.
            trace: Trace of the frames' stages, None if none is written.

        """
        self._trace = trace
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
        self._times = FrameTimes()

    def open_gate(self, generation: int) -> None:
        """Allow publishing for frames of this activation, starting with an empty tracker."""
        self._reset.set()
        with self._gate:
            self._generation = generation

    def close_gate(self) -> None:
        """Forbid publishing; after this returns nothing is published any more."""
        with self._gate:
            self._generation = None

    def request_reset(self) -> None:
        """Forget all tracks before the next frame, for instance because time jumped."""
        self._reset.set()

    def prepare(self, frame: Frame) -> FrameInWork:
        """Decode a frame from the mailbox, and find its faces."""
        self._monitor.taken()
        settings = self._settings()
        waited_ms = ms_since(frame.received_s)
        # rclpy's Time is not used, since it refuses negative seconds, which a message can contain.
        stamp = frame.msg.header.stamp
        stamp_ns = stamp.sec * 1_000_000_000 + stamp.nanosec
        if self._reset.is_set():
            self._times.reset()
        time_s = self._times.add(stamp_ns, frame.received_s)
        if self._times.restarted:
            # A bag has started again, so the existing tracks belong to another time.
            self._reset.set()
        if self._reset.is_set():
            self._reset.clear()
            self._engine.pipeline.reset()
            self._decoder.reset()

        clock = StageClock()
        clock.add(Stage.WAIT, waited_ms)
        try:
            with clock(Stage.DECODE):
                camera_image = self._decoder.decode(frame.msg)
                image = rotate(camera_image, settings.camera_rotation)
        except ImageError as error:
            return FrameInWork(frame, settings, clock, stamp_ns, error)
        try:
            faces = self._engine.pipeline.prepare(image, settings.pipeline, time_s, clock)
        except Exception:
            # An interrupted tracker may contain only a part of the frame's faces.
            self._reset.set()
            raise
        found = DecodedFrame(camera_image, image, faces)
        return FrameInWork(frame, settings, clock, stamp_ns, found)

    def restore(self, work: FrameInWork, lane: int) -> None:
        """Restore the faces of a frame in one of the engine's lanes."""
        work.lane = lane
        if isinstance(work.found, DecodedFrame):
            self._engine.pipeline.restore(work.found.faces, lane)
        work.restored_s = time.perf_counter()

    def complete(self, work: FrameInWork) -> None:
        """Publish the results of a frame, and count it."""
        if isinstance(work.found, ImageError):
            self._reject(work, work.found)
            return
        if self._engine.pipeline.lanes > 1:
            work.clock.add_since(Stage.ORDER, work.restored_s)
        result = self._engine.pipeline.complete(work.found.faces, work.lane)
        self._publish(work, work.found, result)

    def _reject(self, work: FrameInWork, error: ImageError) -> None:
        self._monitor.failed(error.cause)
        self._log.warn(error.cause, f'frame rejected ({error.cause}): {error}')
        record = FrameRecord(work.clock.stages_ms)
        self._report(work.frame, record, f'{error.cause}: {error}')

    def _publish(self, work: FrameInWork, found: DecodedFrame, result: PipelineResult) -> None:
        image = found.image
        frame, settings, clock = work.frame, work.settings, work.clock
        header, faces = frame.msg.header, result.faces
        with clock(Stage.PUBLISH), self._gate:
            if self._generation != frame.generation:
                self._monitor.discarded()
                return
            self._outputs.publish_faces(
                found.camera_image,
                image,
                faces,
                header,
                settings.camera_rotation,
                settings.jpeg_quality,
            )
            # This is asked while the gate is held: once it is closed, the publishers may be gone.
            restored_wanted, debug_wanted = self._outputs.watched()
        # The age is measured here, since consumers wait for the crops, which have just been sent.
        age_ms = self._age_ms(work.stamp_ns)
        if age_ms is not None:
            clock.add(Stage.AGE, age_ms)

        restored = debug = None
        if restored_wanted:
            with clock(Stage.BLEND):
                blended = blend_faces(image, faces) if faces else image
                # The image is turned back, so that the camera's intrinsics are valid for it.
                restored = rotate_back(blended, settings.camera_rotation)
        if debug_wanted:
            with clock(Stage.DEBUG):
                info = _info_lines(replace(result.record, stages_ms=clock.stages_ms))
                debug = draw_debug(image, faces, info)
        with clock(Stage.PUBLISH), self._gate:
            if self._generation == frame.generation:
                self._outputs.publish_views(restored, debug, header, settings.jpeg_quality)
        clock.add(Stage.TOTAL, ms_since(frame.received_s))

        record = replace(result.record, stages_ms=clock.stages_ms)
        self._monitor.processed(record)
        self._report(frame, record)
        if self._trace is not None:
            self._trace.add(frame.received_s, clock, record, work.lane)

    def crashed(self, frame: Frame, error: Exception) -> None:
        """Count a frame for which a step raised; other frames are processed as usual.

        Args:
            frame: Frame that was being processed.
            error: Exception that was raised.

        """
        with self._gate:
            if self._generation != frame.generation:
                self._monitor.discarded()
                return
        text = f'{type(error).__name__}: {error}'
        self._monitor.failed(INTERNAL, text)
        self._log.error('crash', f'frame rejected ({INTERNAL}): {text}')
        self._report(frame, FrameRecord({}), f'{INTERNAL}: {text}')
        # What the frame has left in the fusion and in the cache was never shown.
        self._reset.set()

    def _report(self, frame: Frame, record: FrameRecord, rejected: str = '') -> None:
        """Publish the status of a frame, after all other messages about it."""
        with self._gate:
            if self._generation == frame.generation:
                self._outputs.publish_frame_status(frame.msg.header, record, rejected)

    def _age_ms(self, stamp_ns: int) -> float | None:
        """Return the milliseconds since the stamp by the node's clock, None if it is not usable."""
        if stamp_ns <= 0:
            return None
        age_ms = (self._clock.now().nanoseconds - stamp_ns) / 1e6
        return None if age_ms < -AHEAD_TOLERANCE_MS else max(age_ms, 0.0)


def _info_lines(record: FrameRecord) -> list[str]:
    """Return lines that summarise a frame in the debug view."""
    asked, times = record.cycles_asked, record.stages_ms
    lines = [f'faces {record.passed_on}  k {record.cycles_used or asked}']
    if record.cycles_allowed < asked:
        lines[0] += f' of {asked}'
    cycle_ms = [times[stage] for stage in RESTORE_CYCLES if stage in times]
    if cycle_ms:
        lines.append('restore ' + ' + '.join(f'{ms:.0f}' for ms in cycle_ms) + ' ms')
    if Stage.FINE in times:
        lines.append(f'fine {times[Stage.FINE]:.0f} ms')
    if Stage.AGE in times:
        lines.append(f'age {times[Stage.AGE]:.0f} ms')
    return lines
