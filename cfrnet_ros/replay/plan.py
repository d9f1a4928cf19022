"""What is to be played, and what happened then."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cfrnet_ros.replay.load import LoadSpike
from cfrnet_ros.replay.player import PlayedFrame

NODE_NAME = 'cfrnet'
FACE_TOPIC = f'/{NODE_NAME}/face/image'
FACE_STATUS_TOPIC = f'/{NODE_NAME}/face/status'
FRAME_STATUS_TOPIC = f'/{NODE_NAME}/frame/status'
RESTORED_TOPIC = f'/{NODE_NAME}/image_restored'
DEBUG_TOPIC = f'/{NODE_NAME}/image_debug'
DIAGNOSTICS_TOPIC = '/diagnostics'

_IMAGE = 'sensor_msgs/msg/Image'
_DIAGNOSTICS = 'diagnostic_msgs/msg/DiagnosticArray'
#: What follows from the images alone: the same at every deterministic replay.
REPRODUCIBLE: dict[str, str] = {
    FACE_TOPIC: _IMAGE,
    RESTORED_TOPIC: _IMAGE,
    FACE_STATUS_TOPIC: _DIAGNOSTICS,
}
#: What the node sends, and the parameter changes.
RECORDED: dict[str, str] = {
    **REPRODUCIBLE,
    FRAME_STATUS_TOPIC: _DIAGNOSTICS,
    DEBUG_TOPIC: _IMAGE,
    DIAGNOSTICS_TOPIC: _DIAGNOSTICS,
    '/parameter_events': 'rcl_interfaces/msg/ParameterEvent',
}


@dataclass(frozen=True)
class ReplayPlan:
    """What to play.

    Attributes:
        bag: folder, .mcap or .db3 file.
        out: folder that takes recordings and log; the recordings must not exist there.
        topic: of the images; None if the bag has only one.
        cycles: the bag is played once for each of these.
        rate: 1 is the pace of recording; without effect when deterministic.
        parameters: of the node, by name, set at its start.
        params_file: YAML file of the node's parameters; `parameters` are stronger.
        views_hz: whole frames a second that are recorded at most; they are large.
        recorded: message type by topic, what to record.
        deterministic: every frame, one at a time, with the bag's stamps; see `lockstep`.
        answer_timeout_s: how long one frame may take then, in seconds.
        load: processes that keep the CPU busy for a while, in each pass; None for none.

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
        """Folder of the recorded bag with the crops."""
        return self.out / 'restored'

    @property
    def measurements(self) -> Path:
        """Folder of the recorded bag with the diagnostics: the same one in real time."""
        return self.out / 'diagnostics' if self.deterministic else self.recording


@dataclass(frozen=True)
class Pass:
    """The bag, played once.

    Attributes:
        cycles: the parameter during this pass.
        asked_ns: when the parameter was set, nanoseconds since the epoch.
        frames: what was sent.
        spikes: from when to when the CPU was kept busy, nanoseconds since the epoch.

    """

    cycles: int
    asked_ns: int
    frames: list[PlayedFrame]
    spikes: list[tuple[int, int]] = field(default_factory=list)


@dataclass(frozen=True)
class ReplayLog:
    """What happened.

    Attributes:
        plan: what was asked for.
        topic: that the images were sent on.
        passes: in order.
        received: messages recorded by topic.
        command: how the node was started, the last time.
        node_log: file with the node's output.
        exit_code: of the node, after SIGINT.
        parameters: of the node during the first pass, by name.

    """

    plan: ReplayPlan
    topic: str
    passes: list[Pass]
    received: Mapping[str, int]
    command: Sequence[str]
    node_log: Path
    exit_code: int
    parameters: Mapping[str, Any] = field(default_factory=dict)
