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

"""A lifecycle node whose transitions say in the log and in the diagnostics why they failed."""

from __future__ import annotations

import traceback
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any

from rclpy.lifecycle import LifecycleNode, LifecycleState, TransitionCallbackReturn

from cfrnet_ros.vision.errors import VisionError

SUCCESS = TransitionCallbackReturn.SUCCESS
FAILURE = TransitionCallbackReturn.FAILURE


class TransitionError(Exception):
    """A lifecycle transition failed for a reason that the user can remove."""


class ReportingLifecycleNode(LifecycleNode, ABC):
    """Lifecycle node whose subclasses do the work of the transitions.

    A subclass implements `_configure`, `_activate`, `_deactivate` and `_release`. They may raise
    any exception; a `TransitionError` or `VisionError` names cause and remedy.
    """

    def __init__(self, name: str, **kwargs: Any) -> None:
        """Create the node in the unconfigured state.

        Args:
            name: Name of the node.
            kwargs: Arguments for `LifecycleNode`, for instance `namespace`.

        """
        super().__init__(name, **kwargs)
        self._state = 'unconfigured'
        self._transition_error = ''

    def finish(self) -> None:
        """Shut down to the finalized state, unless a lifecycle manager has already done so."""
        if self._state != 'finalized':
            self.trigger_shutdown()

    # -- lifecycle: rclpy discards exceptions of these methods, so each of them uses `_attempt`

    def on_configure(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Load and warm up the models, and create the topics."""
        return self._attempt('configure', 'configured', self._configure, 'inactive', state)

    def on_activate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Subscribe to the images and start processing and publishing."""
        return self._attempt('activate', 'activated', self._activate, 'active', state)

    def on_deactivate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Stop processing and publishing; after this returns nothing is published any more."""
        return self._attempt('deactivate', 'deactivated', self._deactivate, 'inactive', state)

    def on_cleanup(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Free the models and destroy the topics."""
        return self._attempt('clean up', 'cleaned up', self._release, 'unconfigured', state)

    def on_shutdown(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Stop and free everything, whatever the state was before."""
        return self._attempt('shut down', 'shut down', self._release, 'finalized', state)

    def on_error(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Free everything and return to the unconfigured state, after a transition's error."""
        return self._attempt('recover', 'recovered', self._release, 'unconfigured', state)

    def _attempt(
        self, what: str, done: str, action: Callable[[], None], label: str, state: LifecycleState
    ) -> TransitionCallbackReturn:
        """Run a transition; if it fails, log the reason and keep it for the diagnostics.

        Args:
            what: Verb of the transition, for the log.
            done: Participle of that verb, for the diagnostics.
            action: Function that performs the transition.
            label: Label of the state after the transition.
            state: State before the transition.

        """
        try:
            action()
        except (TransitionError, VisionError) as error:
            # The text names cause and remedy, so a traceback would add nothing.
            self.get_logger().error(f'cannot {what}: {error}')
            self._transition_error = f'not {done}: {error}'
            return FAILURE
        except Exception as error:
            self.get_logger().error(f'cannot {what}: {traceback.format_exc().strip()}')
            self._transition_error = f'not {done}: {type(error).__name__}: {error}'
            return FAILURE
        self._transition_error = ''
        if label == 'finalized':
            self.get_logger().info('shut down')
        elif state.label != label:
            self.get_logger().info(f'{label} (was {state.label})')
        self._state = label
        return SUCCESS

    @abstractmethod
    def _configure(self) -> None:
        """Load everything and create the topics."""

    @abstractmethod
    def _activate(self) -> None:
        """Begin the work."""

    @abstractmethod
    def _deactivate(self) -> None:
        """Stop the work; must not fail in any state."""

    @abstractmethod
    def _release(self) -> None:
        """Stop the work and free everything; must not fail in any state."""

    def _enable_publishers(self) -> None:
        """Let the lifecycle publishers send."""
        super().on_activate(LifecycleState('inactive', 2))

    def _disable_publishers(self) -> None:
        """Keep the lifecycle publishers from sending."""
        super().on_deactivate(LifecycleState('active', 3))
