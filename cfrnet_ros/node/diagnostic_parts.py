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

"""What the node's diagnostic statuses are built from, and the form that they share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from diagnostic_msgs.msg import DiagnosticStatus, KeyValue

from cfrnet_ros.node.engine import Engine
from cfrnet_ros.node.face_report import value_text
from cfrnet_ros.node.monitor import Report
from cfrnet_ros.node.parameters import Settings

ACTIVE = 'active'


@dataclass(frozen=True)
class View:
    """Everything that the statuses are built from.

    Attributes:
        node_name: Fully qualified name of the node without the leading slash. The names of the
            statuses begin with it.
        hardware_id: Value of `hardware_id` in the statuses.
        lifecycle_state: Label of the lifecycle state, for instance 'active'.
        topic: Resolved name of the topic with the images.
        publishers: Number of publishers on that topic.
        settings: Current parameters.
        report: Current figures of the monitor.
        engine: Loaded engine, None while none is loaded.
        transition_error: Failure of the last lifecycle transition with its reason, such as
            'not configured: no such model'; '' if it succeeded.
        warnings: Findings about the surroundings of the node, see `surroundings`.
        silence: Reason why no image arrives, see `publisher_check.explain_silence`; '' while
            images arrive.
        enabled: Whether the node works while it is active; False after a call of `~/enable`.

    """

    node_name: str
    hardware_id: str
    lifecycle_state: str
    topic: str
    publishers: int
    settings: Settings
    report: Report
    engine: Engine | None
    transition_error: str
    silence: str = ''
    warnings: Sequence[str] = ()
    enabled: bool = True

    @property
    def active(self) -> bool:
        """Whether the node is active and enabled, so that frames are expected."""
        return self.lifecycle_state == ACTIVE and self.enabled


@dataclass
class Verdict:
    """Collects findings. The most serious one sets the level; the message lists all of them."""

    level: int = 0
    findings: list[str] = field(default_factory=list)

    def warn(self, text: str) -> None:
        """Add a finding that makes the level WARN at least."""
        self.level = max(self.level, 1)
        self.findings.append(text)

    def error(self, text: str) -> None:
        """Add a finding that makes the level ERROR."""
        self.level = 2
        # Errors come first, since viewers cut long messages.
        self.findings.insert(0, text)


_LEVELS = (DiagnosticStatus.OK, DiagnosticStatus.WARN, DiagnosticStatus.ERROR)


def make_status(
    view: View, part: str, verdict: Verdict, fine: str, values: dict[str, object]
) -> DiagnosticStatus:
    """Build a status.

    Args:
        view: Current state of the node.
        part: Last part of the status' name.
        verdict: Findings, which give level and message.
        fine: Message without findings.
        values: Values by key.

    """
    values = {'lifecycle_state': view.lifecycle_state, 'enabled': view.enabled, **values}
    idle = view.lifecycle_state if view.enabled else f'{view.lifecycle_state}, disabled by ~/enable'
    return DiagnosticStatus(
        level=_LEVELS[verdict.level],
        name=f'{view.node_name}: {part}',
        message='; '.join(verdict.findings) or (fine if view.active else idle),
        hardware_id=view.hardware_id,
        values=[KeyValue(key=key, value=value_text(value)) for key, value in values.items()],
    )
