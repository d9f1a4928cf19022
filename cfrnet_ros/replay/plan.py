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

"""Plan of a replay, and the log of what happened."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cfrnet_ros.replay.load import LoadSpike
from cfrnet_ros.replay.player import PlayedFrame

NODE_NAME = 'cfrnet'
FACE_TOPIC = f'/{NODE_NAME}/face/image'
FUSED_TOPIC = f'/{NODE_NAME}/face/fused'
FACE_STATUS_TOPIC = f'/{NODE_NAME}/face/status'
FRAME_STATUS_TOPIC = f'/{NODE_NAME}/frame/status'
RESTORED_TOPIC = f'/{NODE_NAME}/image_restored'
DEBUG_TOPIC = f'/{NODE_NAME}/image_debug'
DIAGNOSTICS_TOPIC = '/diagnostics'

_IMAGE = 'sensor_msgs/msg/Image'
_DIAGNOSTICS = 'diagnostic_msgs/msg/DiagnosticArray'
#: Types of the topics that follow from the images alone: equal in every deterministic replay.
REPRODUCIBLE: dict[str, str] = {
    FACE_TOPIC: _IMAGE,
    FUSED_TOPIC: _IMAGE,
    RESTORED_TOPIC: _IMAGE,
    FACE_STATUS_TOPIC: _DIAGNOSTICS,
}
#: Types of all recorded topics: what the node sends, and changes of parameters.
RECORDED: dict[str, str] = {
    **REPRODUCIBLE,
    FRAME_STATUS_TOPIC: _DIAGNOSTICS,
    DEBUG_TOPIC: _IMAGE,
    DIAGNOSTICS_TOPIC: _DIAGNOSTICS,
    '/parameter_events': 'rcl_interfaces/msg/ParameterEvent',
}


@dataclass(frozen=True)
class ReplayPlan:
    """Settings of a replay.

    Attributes:
        bag: Path of the bag: its folder, or a .mcap or .db3 file.
        out: Folder for recordings and log; it must not contain recordings yet.
        topic: Topic of the images; None if the bag has only one.
        cycles: Numbers of cycles; the bag is played once for each.
        rate: Speed relative to the recording; without effect in a deterministic replay.
        parameters: Parameters of the node by name, set when it starts.
        params_file: YAML file with parameters of the node; `parameters` override it.
        views_hz: Most whole frames recorded per second; they are large.
        recorded: Topics to record: message type by topic name.
        deterministic: Whether frames are sent one at a time with the bag's stamps, as
            `lockstep` describes.
        answer_timeout_s: Longest time for one frame in a deterministic replay, in seconds.
        load: Load spike in each pass; None for none.

    """

    bag: Path
    out: Path
    topic: str | None = None
    cycles: Sequence[int] = (1, 2, 3)
    rate: float = 1.0
    parameters: Mapping[str, Any] = field(default_factory=dict)
    params_file: Path | None = None
    views_hz: float = 3.0
    recorded: Mapping[str, str] = field(default_factory=lambda: dict(RECORDED))
    deterministic: bool = False
    answer_timeout_s: float = 30.0
    load: LoadSpike | None = None

    @property
    def recording(self) -> Path:
        """Path of the recorded bag with the crops."""
        return self.out / 'restored'

    @property
    def measurements(self) -> Path:
        """Path of the recorded bag with the diagnostics; in real time the same bag."""
        return self.out / 'diagnostics' if self.deterministic else self.recording


@dataclass(frozen=True)
class Pass:
    """One playback of the bag.

    Attributes:
        cycles: Value of the parameter `cycles` during this pass.
        asked_ns: Time when the parameter was set, in nanoseconds since the epoch.
        frames: Frames that were sent.
        spikes: Start and end of each load spike, in nanoseconds since the epoch.

    """

    cycles: int
    asked_ns: int
    frames: list[PlayedFrame]
    spikes: list[tuple[int, int]] = field(default_factory=list)


@dataclass(frozen=True)
class ReplayLog:
    """Record of a finished replay.

    Attributes:
        plan: Plan that was carried out.
        topic: Topic on which the images were sent.
        passes: Passes in the order in which they were played.
        received: Number of messages recorded on each topic.
        command: Command that started the node, the last one if there were several.
        node_log: File with the node's output.
        exit_code: Exit code of the node after SIGINT.
        parameters: Parameters of the node during the first pass, by name.

    """

    plan: ReplayPlan
    topic: str
    passes: list[Pass]
    received: Mapping[str, int]
    command: Sequence[str]
    node_log: Path
    exit_code: int
    parameters: Mapping[str, Any] = field(default_factory=dict)
