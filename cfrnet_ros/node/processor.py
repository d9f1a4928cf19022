"""What the worker thread does with one frame: decode, restore, publish, and account for it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from threading import Event, Lock

from rclpy.clock import Clock
from sensor_msgs.msg import CompressedImage, Image

from cfrnet_ros.node.engine import Engine
from cfrnet_ros.node.images.decoder import ImageDecoder
from cfrnet_ros.node.images.errors import INTERNAL, ImageError
from cfrnet_ros.node.monitor import Monitor
from cfrnet_ros.node.outputs import Outputs
from cfrnet_ros.node.parameters import Settings
from cfrnet_ros.node.throttled_log import ThrottledLog
from cfrnet_ros.vision.camera_rotation import rotate, rotate_back
from cfrnet_ros.vision.frame_record import FrameRecord
from cfrnet_ros.vision.stages import RESTORE_CYCLES, Stage, StageClock, ms_since
from cfrnet_ros.vision.views.compositor import blend_faces
from cfrnet_ros.vision.views.debug_view import draw_debug

#: Stamps may run ahead of the node's clock by this much without being called
#: wrong: simulated clocks tick coarsely, synchronised ones differ a little.
AHEAD_TOLERANCE_MS = 1000.0


@dataclass(frozen=True)
class Frame:
    """A message on its way.

    Attributes:
        msg: Message with the image.
        received_s: Time of its arrival, of `time.perf_counter`.
        generation: Number of the activation in which it came.

    """

    msg: Image | CompressedImage
    received_s: float
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
        waited_ms = ms_since(frame.received_s)
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

        clock = StageClock()
        clock.add(Stage.WAIT, waited_ms)
        try:
            with clock(Stage.DECODE):
                camera_image = self._decoder.decode(frame.msg)
                image = rotate(camera_image, settings.camera_rotation)
        except ImageError as error:
            self._monitor.failed(error.cause)
            self._log.warn(error.cause, f'frame rejected ({error.cause}): {error}')
            self._report(frame, FrameRecord(clock.stages_ms), f'{error.cause}: {error}')
            return

        # Without stamps the time of arrival has to do.
        time_s = stamp_ns / 1e9 if stamp_ns > 0 else frame.received_s
        result = self._engine.pipeline.process(image, settings.pipeline, time_s, clock)

        header, faces = frame.msg.header, result.faces
        with clock(Stage.PUBLISH), self._gate:
            if self._generation != frame.generation:
                self._monitor.discarded()
                return
            self._outputs.publish_faces(
                camera_image, image, faces, header, settings.camera_rotation
            )
            # Asked within the gate: once it is closed the publishers may be gone.
            restored_wanted, debug_wanted = self._outputs.watched()
        # The crops are out: this is what a consumer waits for.
        age_ms = self._age_ms(stamp_ns)
        if age_ms is not None:
            clock.add(Stage.AGE, age_ms)

        restored = debug = None
        if restored_wanted:
            with clock(Stage.BLEND):
                blended = blend_faces(image, faces) if faces else image
                # As the camera sent it, so that its intrinsics hold.
                restored = rotate_back(blended, settings.camera_rotation)
        if debug_wanted:
            with clock(Stage.DEBUG):
                info = _info_lines(replace(result.record, stages_ms=clock.stages_ms))
                debug = draw_debug(image, faces, info)
        with clock(Stage.PUBLISH), self._gate:
            if self._generation == frame.generation:
                self._outputs.publish_views(restored, debug, header)
        clock.add(Stage.TOTAL, ms_since(frame.received_s))

        record = replace(result.record, stages_ms=clock.stages_ms)
        self._monitor.processed(record)
        self._report(frame, record)

    def crashed(self, frame: Frame, error: Exception) -> None:
        """Account for a frame on which `process` raised; the next one is tried again."""
        with self._gate:
            if self._generation != frame.generation:
                self._monitor.discarded()
                return
        text = f'{type(error).__name__}: {error}'
        self._monitor.failed(INTERNAL, text)
        self._log.error('crash', f'frame rejected ({INTERNAL}): {text}')
        self._report(frame, FrameRecord({}), f'{INTERNAL}: {text}')
        # A tracker interrupted halfway may hold half of a frame.
        self._reset.set()

    def _report(self, frame: Frame, record: FrameRecord, rejected: str = '') -> None:
        """Say what became of a frame, last of all that is sent for it."""
        with self._gate:
            if self._generation == frame.generation:
                self._outputs.publish_frame_status(frame.msg.header, record, rejected)

    def _age_ms(self, stamp_ns: int) -> float | None:
        """Milliseconds since the stamp by the node's clock, None if it says nothing."""
        if stamp_ns <= 0:
            return None
        age_ms = (self._clock.now().nanoseconds - stamp_ns) / 1e6
        return None if age_ms < -AHEAD_TOLERANCE_MS else max(age_ms, 0.0)


def _info_lines(record: FrameRecord) -> list[str]:
    """Sum a frame up for the debug view."""
    asked, times = record.cycles_asked, record.stages_ms
    lines = [f'faces {record.passed_on}  k {record.cycles_used or asked}']
    if record.cycles_allowed < asked:
        lines[0] += f' of {asked}'
    cycle_ms = [times[stage] for stage in RESTORE_CYCLES if stage in times]
    if cycle_ms:
        lines.append('restore ' + ' + '.join(f'{ms:.0f}' for ms in cycle_ms) + ' ms')
    if Stage.AGE in times:
        lines.append(f'age {times[Stage.AGE]:.0f} ms')
    return lines
