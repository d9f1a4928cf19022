"""One replay: a bag through the real node, several times, each time with other cycles."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cfrnet_ros.replay.bag_reader import COMPRESSED, BagReader
from cfrnet_ros.replay.errors import ReplayError
from cfrnet_ros.replay.node_process import NodeProcess
from cfrnet_ros.replay.parameter_client import ParameterClient
from cfrnet_ros.replay.player import PlayedFrame, Player
from cfrnet_ros.replay.recorder import Recorder
from cfrnet_ros.replay.ros_session import RosSession

NODE_NAME = 'cfrnet'
FACE_TOPIC = f'/{NODE_NAME}/face/image'
RESTORED_TOPIC = f'/{NODE_NAME}/image_restored'
DEBUG_TOPIC = f'/{NODE_NAME}/image_debug'
DIAGNOSTICS_TOPIC = '/diagnostics'

_IMAGE = 'sensor_msgs/msg/Image'
#: What the node sends, and the parameter changes.
RECORDED: dict[str, str] = {
    FACE_TOPIC: _IMAGE,
    RESTORED_TOPIC: _IMAGE,
    DEBUG_TOPIC: _IMAGE,
    DIAGNOSTICS_TOPIC: 'diagnostic_msgs/msg/DiagnosticArray',
    '/parameter_events': 'rcl_interfaces/msg/ParameterEvent',
}

#: After the last frame: as long as something still comes, but not for ever.
_QUIET_S, _QUIET_AT_MOST_S = 1.2, 10.0


@dataclass(frozen=True)
class ReplayPlan:
    """What to play.

    Attributes:
        bag: folder, .mcap or .db3 file.
        out: folder that takes recording and log; the recording must not exist there.
        topic: of the images; None if the bag has only one.
        cycles: the bag is played once for each of these.
        rate: 1 is the pace of recording.
        parameters: of the node, by name, set at its start.
        params_file: YAML file of the node's parameters.
        views_hz: whole frames a second that are recorded at most; they are large.
        recorded: message type by topic, what to record.

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

    @property
    def recording(self) -> Path:
        """Folder of the recorded bag."""
        return self.out / 'restored'


@dataclass(frozen=True)
class Pass:
    """The bag, played once.

    Attributes:
        cycles: the parameter during this pass.
        asked_ns: when the parameter service was called, nanoseconds since the epoch.
        frames: what was sent.

    """

    cycles: int
    asked_ns: int
    frames: list[PlayedFrame]


@dataclass(frozen=True)
class ReplayLog:
    """What happened.

    Attributes:
        plan: what was asked for.
        topic: that the images were sent on.
        passes: in order.
        received: messages recorded by topic.
        command: how the node was started.
        node_log: file with the node's output.
        exit_code: of the node, after SIGINT.

    """

    plan: ReplayPlan
    topic: str
    passes: list[Pass]
    received: Mapping[str, int]
    command: Sequence[str]
    node_log: Path
    exit_code: int


#: Called for every frame sent, with the cycles in force and the messages recorded so far.
OnFrame = Callable[[int, PlayedFrame, Mapping[str, int]], None]


def run_replay(
    plan: ReplayPlan, on_frame: OnFrame = lambda cycles, frame, counts: None
) -> ReplayLog:
    """Play a bag into the real node, in its own process, and record what comes out.

    The node runs all the time; `cycles` is set by the parameter service between two
    frames.

    Args:
        plan: see `ReplayPlan`.
        on_frame: for a progress display.

    Raises:
        ReplayError: the bag, the node or a parameter is not as needed.

    """
    if not plan.cycles:
        raise ReplayError('no cycles to play with; give at least one number from 1 to 8')
    plan.out.mkdir(parents=True, exist_ok=True)
    with contextlib.ExitStack() as stack:
        bag = stack.enter_context(BagReader(plan.bag))
        topic = bag.image_topic(plan.topic)
        compressed = bag.topics[topic] == COMPRESSED
        parameters: dict[str, Any] = {'cycles': plan.cycles[0], **plan.parameters}
        if compressed:
            parameters['image_transport'] = 'compressed'
        node = stack.enter_context(
            NodeProcess(
                plan.out / 'node.log',
                parameters,
                {'image': topic.removesuffix('/compressed') if compressed else topic},
                plan.params_file,
                NODE_NAME,
            )
        )
        ros = stack.enter_context(RosSession('cfrnet_replay'))
        last_heard = [time.monotonic()]

        def heard(topic: str, time_ns: int, data: bytes) -> None:
            if topic == FACE_TOPIC:
                last_heard[0] = time.monotonic()

        max_hz = {topic: plan.views_hz for topic in (RESTORED_TOPIC, DEBUG_TOPIC)}
        recorder = Recorder(ros.node, plan.recording, plan.recorded, heard, max_hz)
        stack.callback(recorder.close)
        player = Player(ros.node, topic, bag.topics[topic])
        node.wait_until_active(ros.node)
        player.wait_for_subscriber()
        if not recorder.wait_for_publishers(*plan.recorded):
            raise ReplayError(f'not all of {", ".join(plan.recorded)} are published')

        client = ParameterClient(ros.node, node.name)
        passes = []
        for cycles in plan.cycles:
            asked_ns = time.time_ns()
            client.set({'cycles': cycles})
            played = Pass(cycles, asked_ns, [])
            passes.append(played)
            for frame in player.play(bag.messages(topic), plan.rate):
                played.frames.append(frame)
                node.check()
                on_frame(cycles, frame, recorder.bag.counts)
        _wait_for_quiet(node, last_heard)
        recorder.close()
        exit_code = node.stop()
    return ReplayLog(
        plan, topic, passes, recorder.bag.counts, node.command, node.log_file, exit_code
    )


def _wait_for_quiet(node: NodeProcess, last_heard: Sequence[float]) -> None:
    start = time.monotonic()
    while time.monotonic() - start < _QUIET_AT_MOST_S:
        node.check()
        if time.monotonic() - max(start, last_heard[0]) > _QUIET_S:
            return
        time.sleep(0.05)
