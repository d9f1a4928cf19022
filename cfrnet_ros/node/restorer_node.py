"""The lifecycle node: wires topics, parameters and diagnostics to the worker thread."""

from __future__ import annotations

import socket
import time
import traceback
from collections.abc import Callable
from typing import Any

from diagnostic_msgs.msg import DiagnosticArray
from rclpy.clock import Clock, ClockType, JumpThreshold, TimeJump
from rclpy.duration import Duration
from rclpy.lifecycle import LifecycleNode, LifecycleState, TransitionCallbackReturn
from rclpy.qos_overriding_options import QoSOverridingOptions
from rclpy.subscription import Subscription
from sensor_msgs.msg import CameraInfo, CompressedImage, Image

from cfrnet_ros.node import detections
from cfrnet_ros.node.camera_info import CameraInfoHolder, camera_info_topic
from cfrnet_ros.node.diagnostics import View, build_statuses
from cfrnet_ros.node.engine import Engine, load_engine
from cfrnet_ros.node.images.decoder import ImageDecoder
from cfrnet_ros.node.images.errors import ImageError
from cfrnet_ros.node.mailbox import Mailbox
from cfrnet_ros.node.monitor import Monitor
from cfrnet_ros.node.outputs import Outputs
from cfrnet_ros.node.parameters import NodeParameters
from cfrnet_ros.node.processor import Frame, FrameProcessor
from cfrnet_ros.node.qos import input_qos
from cfrnet_ros.node.throttled_log import ThrottledLog
from cfrnet_ros.node.worker import Worker
from cfrnet_ros.vision.errors import VisionError

DEFAULT_NAME = 'cfrnet'
DIAGNOSTICS_PERIOD_S = 1.0

SUCCESS = TransitionCallbackReturn.SUCCESS
FAILURE = TransitionCallbackReturn.FAILURE


class ConfigureError(Exception):
    """A reason not to configure that the user can do something about."""


class RestorerNode(LifecycleNode):
    """Restores the faces in a stream of images.

    The executor thread only moves messages and answers services; inference runs
    in a worker thread that takes the newest frame from a one-slot mailbox.
    """

    def __init__(self, **kwargs: Any) -> None:
        """Create the node, unconfigured.

        Args:
            kwargs: passed on to `LifecycleNode`, for instance `namespace`.

        """
        super().__init__(
            DEFAULT_NAME, automatically_declare_parameters_from_overrides=True, **kwargs
        )
        self._params = NodeParameters(self)
        self._log = ThrottledLog(self.get_logger())
        self._monitor = Monitor()
        self._state = 'unconfigured'
        self._configure_error = ''
        self._generation = 0
        self._engine: Engine | None = None
        self._decoder: ImageDecoder | None = None
        self._outputs: Outputs | None = None
        self._processor: FrameProcessor | None = None
        self._mailbox: Mailbox[Frame] | None = None
        self._worker: Worker[Frame] | None = None
        self._inputs: list[Subscription[Any]] = []
        self._camera = CameraInfoHolder(self._log)

        self._diagnostics = self.create_publisher(DiagnosticArray, '/diagnostics', 10)
        # A steady clock: diagnostics must go on while simulated time stands still.
        self._timer = self.create_timer(
            DIAGNOSTICS_PERIOD_S,
            self._publish_diagnostics,
            clock=Clock(clock_type=ClockType.STEADY_TIME),
        )
        # The handle must be kept: the callback goes with it.
        self._jump_handle = self.get_clock().create_jump_callback(
            JumpThreshold(
                min_forward=None, min_backward=Duration(nanoseconds=-1), on_clock_change=True
            ),
            post_callback=self._on_time_jump,
        )

    @property
    def autostart(self) -> bool:
        """Whether the node is to configure and activate itself."""
        return self._params.settings.autostart

    def finish(self) -> None:
        """Go to the finalized state, if a manager has not already brought the node there."""
        if self._state != 'finalized':
            self.trigger_shutdown()

    def wait_for_worker(self, timeout_s: float) -> bool:
        """Wait for the last frame in hand after a cleanup; False if it takes longer."""
        return self._worker is None or self._worker.join(timeout_s)

    # -- lifecycle: rclpy swallows what these raise, so each goes through _attempt

    def on_configure(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Load and warm up the models; create the topics."""
        return self._attempt('configure', self._configure, 'inactive', state)

    def on_activate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Start the flow."""
        return self._attempt('activate', self._activate, 'active', state)

    def on_deactivate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Stop processing and publishing; when it returns nothing goes out any more."""
        return self._attempt('deactivate', self._deactivate, 'inactive', state)

    def on_cleanup(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Free the models and take the topics down."""
        return self._attempt('clean up', self._release, 'unconfigured', state)

    def on_shutdown(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Stop and free everything, from whatever state."""
        return self._attempt('shut down', self._release, 'finalized', state)

    def on_error(self, state: LifecycleState) -> TransitionCallbackReturn:
        """After a transition that failed badly: free everything, back to unconfigured."""
        return self._attempt('recover', self._release, 'unconfigured', state)

    def _attempt(
        self, what: str, action: Callable[[], None], label: str, state: LifecycleState
    ) -> TransitionCallbackReturn:
        try:
            action()
        except (ConfigureError, VisionError) as error:
            # The text says all; where it was raised concerns nobody.
            self.get_logger().error(f'cannot {what}: {error}')
            self._configure_error = str(error)
            return FAILURE
        except Exception as error:
            self.get_logger().error(f'cannot {what}: {traceback.format_exc().strip()}')
            self._configure_error = f'{type(error).__name__}: {error}'
            return FAILURE
        self._configure_error = ''
        if label == 'finalized':
            self.get_logger().info('shut down')
        elif state.label != label:
            self.get_logger().info(f'{label} (was {state.label})')
        self._state = label
        return SUCCESS

    def _configure(self) -> None:
        problems = self._params.problems
        if problems:
            raise ConfigureError(
                'the parameters given at start are wrong: '
                + '; '.join(problems)
                + '. Correct the params file or command line and start again'
            )
        try:
            self._load()
        except Exception:
            self._release()
            raise

    def _load(self) -> None:
        settings = self._params.settings
        self.get_logger().info(
            f'loading model {settings.model!r} for provider {settings.provider!r}'
        )
        start = time.monotonic()
        engine = load_engine(settings)
        for assumption in engine.card.assumed:
            self.get_logger().warning(
                f'the model card of {engine.card.name} is incomplete, assuming {assumption}'
            )
        for part, session in (('restorer', engine.restorer), ('detector', engine.detector)):
            if session.fell_back:
                self.get_logger().warning(
                    f'{part}: provider {session.requested!r} was asked for, {session.used!r} is'
                    f' used: {session.reason}'
                )
        self._engine = engine
        self._decoder = ImageDecoder(settings.max_image_px)
        self._outputs = Outputs(self, self._camera, settings.rep155)
        self._mailbox = Mailbox()
        self._processor = FrameProcessor(
            engine,
            self._decoder,
            self._outputs,
            self._monitor,
            self._log,
            self.get_clock(),
            lambda: self._params.settings,
        )
        self._worker = Worker(
            self._mailbox, self._processor.process, self._processor.crashed, 'cfrnet_worker'
        )
        if not detections.available():
            self.get_logger().info('vision_msgs is not installed: ~/detections is not offered')
        self._warn_about_qos_overrides()
        self.get_logger().info(
            f'{engine.card.name} ({engine.card.precision}, {engine.card.size} px) on'
            f' {engine.restorer.used}, loaded and warmed up in {time.monotonic() - start:.1f} s'
        )

    def _activate(self) -> None:
        if self._processor is None:
            raise ConfigureError('not configured')
        # Enables the lifecycle publishers.
        super().on_activate(LifecycleState('inactive', 2))
        self._generation += 1
        self._monitor.activated()
        self._processor.open_gate(self._generation)
        msg_type = Image if self._params.settings.image_transport == 'raw' else CompressedImage
        topic = self._input_topic()
        # The intrinsics first, so that they are there when the first image comes.
        for kind, name, callback in (
            (CameraInfo, camera_info_topic(self, topic), self._camera.take),
            (msg_type, topic, self._on_image),
        ):
            self._inputs.append(
                self.create_subscription(
                    kind,
                    name,
                    callback,
                    input_qos(),
                    qos_overriding_options=QoSOverridingOptions.with_default_policies(),
                )
            )
        self.get_logger().info(f'waiting for {msg_type.__name__} on {self._input_topic()}')

    def _deactivate(self) -> None:
        # The subscription goes: a camera that nobody needs costs no bandwidth.
        while self._inputs:
            self.destroy_subscription(self._inputs.pop())
        self._camera.clear()
        if self._processor is not None:
            self._processor.close_gate()
        if self._mailbox is not None and self._mailbox.clear() is not None:
            self._monitor.replaced()
        self._monitor.deactivated()
        super().on_deactivate(LifecycleState('active', 3))

    def _release(self) -> None:
        self._deactivate()
        if self._mailbox is not None:
            # The worker ends after the frame in hand and takes the engine with
            # it; waiting for that here would hold up every other callback.
            self._mailbox.close()
        if self._outputs is not None:
            self._outputs.destroy()
        self._mailbox = None
        self._outputs = None
        self._processor = None
        self._decoder = None
        self._engine = None

    # -- the flow

    def _input_topic(self) -> str:
        topic = self.resolve_topic_name('image')
        if self._params.settings.image_transport == 'raw' or topic.endswith('/compressed'):
            return topic
        return f'{topic}/compressed'

    def _on_image(self, msg: Image | CompressedImage) -> None:
        if self._mailbox is None or self._decoder is None:
            return
        try:
            self._decoder.check(msg)
        except ImageError as error:
            self._monitor.refused(error.cause)
            self._log.warn(error.cause, f'frame rejected ({error.cause}): {error}')
            return
        self._monitor.queued()
        if self._mailbox.put(Frame(msg, time.perf_counter(), self._generation)) is not None:
            self._monitor.replaced()

    def _on_time_jump(self, jump: TimeJump) -> None:
        del jump
        self._monitor.time_jumped()
        if self._processor is not None:
            self._processor.request_reset()

    # -- diagnostics

    def _publish_diagnostics(self) -> None:
        try:
            settings = self._params.settings
            topic = self._input_topic()
            view = View(
                node_name=self.get_fully_qualified_name().lstrip('/'),
                hardware_id=settings.hardware_id or socket.gethostname(),
                lifecycle_state=self._state,
                topic=topic,
                publishers=self.count_publishers(topic),
                settings=settings,
                report=self._monitor.report(settings.diagnostics_window_s),
                engine=self._engine,
                configure_error=self._configure_error,
            )
            msg = DiagnosticArray(status=build_statuses(view))
            msg.header.stamp = self.get_clock().now().to_msg()
            self._diagnostics.publish(msg)
        except Exception:
            # An exception here would end the executor, and with it the node.
            self._log.error('diagnostics', f'no diagnostics: {traceback.format_exc().strip()}')

    def _warn_about_qos_overrides(self) -> None:
        image = self._input_topic()
        topics = {publisher.topic_name for publisher in self.publishers}
        topics |= {image, camera_info_topic(self, image)}
        for name in self._params.qos_overrides:
            topic = name.split('.')[1] if name.count('.') >= 2 else ''
            if topic not in topics:
                self.get_logger().warning(
                    f'{name} has no effect: this node has no topic {topic!r}, but'
                    f' {", ".join(sorted(topics))}'
                )
