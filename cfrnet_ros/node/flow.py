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

"""The path of the frames from the subscription through the engine to the outputs."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from threading import Thread

from rclpy.lifecycle import LifecycleNode
from sensor_msgs.msg import CompressedImage, Image

from cfrnet_ros.node.camera_info import CameraInfoHolder
from cfrnet_ros.node.engine import Engine
from cfrnet_ros.node.first_image import FirstImage
from cfrnet_ros.node.frame_in_work import Frame
from cfrnet_ros.node.images.decoder import ImageDecoder
from cfrnet_ros.node.images.errors import ImageError
from cfrnet_ros.node.inputs import Inputs
from cfrnet_ros.node.mailbox import Mailbox
from cfrnet_ros.node.monitor import Monitor, Report
from cfrnet_ros.node.outputs import Outputs
from cfrnet_ros.node.parameters import Settings
from cfrnet_ros.node.processor import FrameProcessor
from cfrnet_ros.node.rate_limit import RateLimit
from cfrnet_ros.node.throttled_log import ThrottledLog
from cfrnet_ros.node.trace import FrameTrace
from cfrnet_ros.node.worker import Worker

#: Share of lost images above which reliable delivery is asked for, where the camera offers it.
RELIABLE_SHARE = 0.2


class Flow:
    """Everything that exists from a configure transition until the next cleanup.

    Frames are processed between `start` and `stop`. All methods must be called from the executor
    thread.

    Attributes:
        engine: Engine that restores the frames.

    """

    def __init__(
        self,
        node: LifecycleNode,
        engine: Engine,
        settings: Callable[[], Settings],
        monitor: Monitor,
        log: ThrottledLog,
        qos_overrides: Sequence[str] = (),
        turn: Callable[[], AbstractContextManager[None]] = nullcontext,
    ) -> None:
        """Create the topics and the worker threads; nothing is received or sent before `start`.

        Args:
            node: Node that subscribes and publishes.
            engine: Engine, loaded and warmed up.
            settings: Function that returns the current parameters.
            monitor: Monitor that keeps the account of the frames.
            log: Log for events of single frames.
            qos_overrides: Names of the QoS overrides that the user gave.
            turn: Function that returns the context in which a frame is processed, see `Worker`.

        """
        self.engine = engine
        self._settings = settings
        self._monitor = monitor
        self._log = log
        self._generation = 0
        self._camera = CameraInfoHolder(log)
        self._decoder = ImageDecoder(settings().max_image_px)
        self._rate_limit = RateLimit()
        self._first_image = FirstImage(node.get_logger().info)
        self._inputs = Inputs(node, qos_overrides)
        self._outputs = Outputs(node, self._camera, settings().rep155, settings().whole_frames)
        trace_file = settings().trace_file
        lanes = engine.pipeline.lanes
        self._trace = (
            FrameTrace(Path(trace_file).expanduser(), log, lanes=lanes) if trace_file else None
        )
        self._processor = FrameProcessor(
            engine,
            self._decoder,
            self._outputs,
            monitor,
            log,
            node.get_clock(),
            settings,
            self._trace,
        )
        self._mailbox: Mailbox[Frame] = Mailbox()
        self._worker = Worker(self._mailbox, self._processor, 'cfrnet_worker', lanes, turn)

    def start(self) -> None:
        """Subscribe and allow publishing, starting with an empty tracker."""
        self._generation += 1
        self._monitor.activated()
        self._first_image.reset()
        self._rate_limit.reset()
        self._processor.open_gate(self._generation)
        self._inputs.open(
            self._settings().image_transport, self._take, self._camera.take, self._monitor.lost
        )

    def follow_camera(self, report: Report) -> None:
        """Adapt the subscription to the camera, see `Inputs.follow`, and to lost images.

        Args:
            report: Current figures of the monitor.

        """
        self._inputs.follow(self._settings().image_transport)
        lost, all_sent = report.recent_lost, report.recent_lost + report.recent_received
        if lost > RELIABLE_SHARE * all_sent and self._inputs.ask_for_reliable_delivery():
            self._log.warn(
                'reliable',
                f'{lost} of {all_sent} images were lost on the way; the camera offers reliable'
                ' delivery, for which the node asks from now on',
            )

    def stop(self) -> None:
        """Unsubscribe; after this returns nothing is published any more."""
        self._inputs.close()
        self._camera.clear()
        self._processor.close_gate()
        if self._mailbox.take() is not None:
            self._monitor.replaced()
        self._monitor.deactivated()

    def close(self) -> tuple[Thread, ...]:
        """Stop, destroy the topics and let the worker end.

        Returns:
            Threads of the worker. Each ends with the frame that it is processing, whose
            restoration is interrupted, and the engine is freed with them. Waiting for them here
            would block all other callbacks.

        """
        self.stop()
        # Nothing is published any more, so a cycle that never returns would only use up a core.
        self.engine.pipeline.interrupt()
        self._mailbox.close()
        self._outputs.destroy()
        if self._trace is not None:
            self._trace.close()
        return self._worker.threads

    def forget_tracks(self) -> None:
        """Forget all tracks, so that the next frame counts as the first of a new scene."""
        self._processor.request_reset()

    def _take(self, msg: Image | CompressedImage) -> None:
        """Hand an image to the worker, reject it if it is invalid, or skip it for `max_fps`."""
        try:
            self._decoder.check(msg)
        except ImageError as error:
            self._monitor.refused(error.cause)
            self._log.warn(error.cause, f'frame rejected ({error.cause}): {error}')
            return
        received_s = time.perf_counter()
        self._first_image.take(msg, received_s)
        if not self._rate_limit.takes(received_s, self._settings().max_fps):
            self._monitor.skipped()
            return
        self._monitor.queued()
        if self._mailbox.put(Frame(msg, received_s, self._generation)) is not None:
            self._monitor.replaced()
