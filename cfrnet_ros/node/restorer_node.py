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

"""The lifecycle node: connects topics, parameters and diagnostics with the worker threads."""

from __future__ import annotations

import socket
import time
import traceback
from contextlib import nullcontext
from threading import Thread
from typing import Any

from diagnostic_msgs.msg import DiagnosticArray
from rcl_interfaces.msg import SetParametersResult
from rclpy.clock import Clock, ClockType, JumpThreshold, TimeJump
from rclpy.duration import Duration
from rclpy.parameter import Parameter
from rclpy.utilities import get_rmw_implementation_identifier

from cfrnet_ros.node import detections
from cfrnet_ros.node.diagnostic_parts import ACTIVE, View
from cfrnet_ros.node.diagnostics import build_statuses
from cfrnet_ros.node.enable_service import EnableService
from cfrnet_ros.node.engine import load_engine
from cfrnet_ros.node.flow import Flow
from cfrnet_ros.node.inputs import image_topic
from cfrnet_ros.node.lifecycle import ReportingLifecycleNode, TransitionError
from cfrnet_ros.node.manager_bond import ManagerBond, MissingBondError, bond_wanted
from cfrnet_ros.node.memory import return_free_memory
from cfrnet_ros.node.monitor import Monitor
from cfrnet_ros.node.parameters import NodeParameters
from cfrnet_ros.node.shared import Shared
from cfrnet_ros.node.surroundings import Surroundings
from cfrnet_ros.node.throttled_log import ThrottledLog
from cfrnet_ros.node.transport import describe

DEFAULT_NAME = 'cfrnet'
DIAGNOSTICS_PERIOD_S = 1.0


class RestorerNode(ReportingLifecycleNode):
    """Restores the faces in a stream of images.

    The executor thread only hands over messages and answers services. Inference runs in a worker,
    which has a thread for each of the `parallel_frames` and takes the newest frame from a mailbox
    with one slot.
    """

    def __init__(self, shared: Shared | None = None, **kwargs: Any) -> None:
        """Create the node in the unconfigured state.

        Args:
            shared: Engine and turns that the nodes of one process share; None for a node that has
                its engine for itself.
            kwargs: Arguments for `LifecycleNode`, for instance `namespace`.

        """
        super().__init__(
            DEFAULT_NAME, automatically_declare_parameters_from_overrides=True, **kwargs
        )
        self._params = NodeParameters(self)
        self._shared = shared
        self._log = ThrottledLog(self.get_logger())
        self._monitor = Monitor()
        transport = describe(get_rmw_implementation_identifier())
        log = self.get_logger().warning if transport.too_small else self.get_logger().info
        log(str(transport))
        self._surroundings = Surroundings(self, transport, self._log)
        self._flow: Flow | None = None
        # Worker of the last flow that was closed; its threads may still be processing frames.
        self._ending: tuple[Thread, ...] = ()
        self._bond: ManagerBond | None = None

        self._enable = EnableService(self, self._apply_enabled)
        self._diagnostics = self.create_publisher(DiagnosticArray, '/diagnostics', 10)
        # A steady clock, since diagnostics must continue while simulated time stands still.
        self._timer = self.create_timer(
            DIAGNOSTICS_PERIOD_S,
            self._publish_diagnostics,
            clock=Clock(clock_type=ClockType.STEADY_TIME),
        )
        # The handle must be kept, since the callback is removed together with it.
        self._jump_handle = self.get_clock().create_jump_callback(
            JumpThreshold(
                min_forward=None, min_backward=Duration(nanoseconds=-1), on_clock_change=True
            ),
            post_callback=self._on_time_jump,
        )

    def set_parameters_atomically(
        self, parameter_list: list[Parameter[Any]]
    ) -> SetParametersResult:
        """Set parameters as `Node` does, with a reason that names the expected type and range."""
        result = super().set_parameters_atomically(parameter_list)
        return self._params.explain(parameter_list, result)

    @property
    def autostart(self) -> bool:
        """Whether the node configures and activates itself at start."""
        return self._params.settings.autostart

    def wait_for_worker(self, timeout_s: float) -> bool:
        """Close the flow if it still exists, and wait until the worker has finished its frames.

        Args:
            timeout_s: Longest time to wait, in seconds.

        Returns:
            Whether the worker has ended in time; True if there is no worker.

        """
        self._close_flow()
        end_s = time.monotonic() + timeout_s
        for thread in self._ending:
            thread.join(max(0.0, end_s - time.monotonic()))
        return not self._worker_ends()

    def _configure(self) -> None:
        problems = self._params.problems
        if problems:
            raise TransitionError(
                'the parameters given at start are wrong: '
                + '; '.join(problems)
                + '. Correct the params file or command line and start again'
            )
        settings = self._params.settings
        try:
            if bond_wanted(settings.bond, settings.autostart):
                self._bond = ManagerBond(self)
            self._load()
        except MissingBondError as error:
            raise TransitionError(str(error)) from error
        except Exception:
            self._release()
            raise

    def _load(self) -> None:
        settings = self._params.settings
        self.get_logger().info(
            f'loading model {settings.model!r} for provider {settings.provider!r}'
        )
        start = time.monotonic()
        shared = self._shared
        if shared is None:
            engine = load_engine(settings)
        else:
            engine = load_engine(shared.applied_to(settings), shared.sessions)
        for assumption in engine.card.assumed:
            self.get_logger().warning(
                f'the model card of {engine.card.name} is incomplete; the node assumes {assumption}'
            )
        for part, session in (('restorer', engine.restorer), ('detector', engine.detector)):
            if session.fell_back:
                self.get_logger().warning(
                    f'{part} runs on {session.used!r} instead of provider {session.requested!r}:'
                    f' {session.reason}'
                )
        for rejected in engine.rejected:
            self.get_logger().warning(f'self-test: {rejected}; another engine is used')
        log = self.get_logger().warning if engine.self_test.failed else self.get_logger().info
        log(f'self-test of {engine.card.name} on {engine.restorer.used} {engine.self_test}')
        self._flow = Flow(
            self,
            engine,
            lambda: self._params.settings,
            self._monitor,
            self._log,
            self._params.qos_overrides,
            nullcontext if shared is None else shared.turns.turn,
        )
        if not detections.available():
            self.get_logger().info('vision_msgs is not installed, so ~/detections is not published')
        self._surroundings.check_qos_overrides(self._params.qos_overrides, settings.image_transport)
        reason = f': {engine.precision_reason}' if engine.precision_reason else ''
        self.get_logger().info(
            f'{engine.card.name} ({engine.card.precision}{reason}; {engine.card.size} px) on'
            f' {engine.restorer.used}, loaded and warmed up in {time.monotonic() - start:.1f} s'
        )
        self.get_logger().info(f'threads: {engine.threads.threads} ({engine.threads.reason})')

    def _activate(self) -> None:
        if self._flow is None:
            raise TransitionError('the node must be configured first')
        self._enable_publishers()
        try:
            if self._enable.enabled:
                self._flow.start()
        except Exception:
            # The node stays inactive, so nothing may be received or published.
            self._deactivate()
            raise
        if self._bond is not None:
            self._bond.form()

    def _deactivate(self) -> None:
        if self._bond is not None:
            self._bond.dissolve()
        if self._flow is not None:
            self._flow.stop()
        self._disable_publishers()

    def _release(self) -> None:
        self._deactivate()
        if self._bond is not None:
            self._bond.destroy()
            self._bond = None
        self._close_flow()

    def _close_flow(self) -> None:
        if self._flow is not None:
            self._ending = self._flow.close()
            self._flow = None

    def _worker_ends(self) -> bool:
        """Return whether the worker of a closed flow still processes a frame."""
        return any(thread.is_alive() for thread in self._ending)

    def _apply_enabled(self, enabled: bool) -> str:
        if self._flow is None or self._state != ACTIVE:
            return f'applies when the node is active; it is {self._state}'
        if enabled:
            self._flow.start()
            return 'images are processed'
        self._flow.stop()
        return 'nothing is received, processed or published'

    def _on_time_jump(self, jump: TimeJump) -> None:
        del jump
        self._monitor.time_jumped()
        if self._flow is not None:
            self._flow.forget_tracks()

    # -- diagnostics

    def _publish_diagnostics(self) -> None:
        try:
            settings = self._params.settings
            if self._ending and not self._worker_ends():
                self._ending = ()
                return_free_memory()
            report = self._monitor.report(settings.diagnostics_window_s)
            if self._flow is not None:
                self._flow.follow_camera(report)
            topic = image_topic(self, settings.image_transport)
            active = self._state == ACTIVE
            view = View(
                node_name=self.get_fully_qualified_name().lstrip('/'),
                hardware_id=settings.hardware_id or socket.gethostname(),
                lifecycle_state=self._state,
                topic=topic,
                publishers=self.count_publishers(topic),
                settings=settings,
                report=report,
                engine=None if self._flow is None else self._flow.engine,
                transition_error=self._transition_error,
                silence=(
                    self._surroundings.silence(settings, report)
                    if active and self._enable.enabled
                    else ''
                ),
                enabled=self._enable.enabled,
                warnings=self._surroundings.warnings(settings, report),
            )
            msg = DiagnosticArray(status=build_statuses(view))
            msg.header.stamp = self.get_clock().now().to_msg()
            self._diagnostics.publish(msg)
        except Exception:
            # An unhandled exception would end the executor and thus the node.
            text = traceback.format_exc().strip()
            self._log.error('diagnostics', f'diagnostics cannot be published: {text}')
