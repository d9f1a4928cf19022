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

"""Plays a bag through the real node, once for each number of cycles."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from cfrnet_ros.node.parameters import PARAMETERS
from cfrnet_ros.replay import lockstep
from cfrnet_ros.replay.bag_reader import COMPRESSED, BagReader, check_image
from cfrnet_ros.replay.errors import BagError, ReplayError
from cfrnet_ros.replay.load import LoadGenerator
from cfrnet_ros.replay.node_process import NodeProcess
from cfrnet_ros.replay.parameter_client import ParameterClient
from cfrnet_ros.replay.plan import (
    DEBUG_TOPIC,
    FACE_STATUS_TOPIC,
    FACE_TOPIC,
    FRAME_STATUS_TOPIC,
    FUSED_TOPIC,
    NODE_NAME,
    RESTORED_TOPIC,
    Pass,
    ReplayLog,
    ReplayPlan,
)
from cfrnet_ros.replay.player import PlayedFrame, Player
from cfrnet_ros.replay.recorder import Recorder
from cfrnet_ros.replay.ros_session import RosSession

#: After the last frame, the replay waits until nothing has arrived for the first of these
#: times, but no longer than the second, both in seconds.
_QUIET_S, _QUIET_AT_MOST_S = 1.2, 10.0

#: Several faces of a frame are sent one after another: none may overwrite the one before.
_OUTPUT_DEPTH = 50

#: Callback for every frame, with the cycles in force and the messages recorded so far.
OnFrame = Callable[[int, PlayedFrame, Mapping[str, int]], None]


def run_replay(
    plan: ReplayPlan, on_frame: OnFrame = lambda cycles, frame, counts: None
) -> ReplayLog:
    """Play a bag into the real node, in its own process, and record what it sends.

    In real time one node runs all the time, and `cycles` is set with the parameter service
    between two frames. A deterministic replay is described in `lockstep`.

    Args:
        plan: Replay to run.
        on_frame: Callback for a progress display.

    Raises:
        ReplayError: The bag cannot be played, the node ended or refused a parameter, or the
            results cannot be written.

    """
    if not plan.cycles:
        allowed = PARAMETERS['cycles'].range_text
        raise ReplayError(f'no cycles to play with; give at least one number from {allowed}')
    if plan.deterministic and plan.load is not None:
        raise ReplayError(
            'a load spike has an effect in real time only: run without --deterministic'
        )
    for folder in {plan.recording, plan.measurements}:
        if folder.exists():
            raise ReplayError(f"'{folder}' exists already: remove it or choose another --out")
    try:
        plan.out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ReplayError(f"cannot write to '{plan.out}': {error}") from error
    with BagReader(plan.bag) as bag:
        topic = bag.image_topic(plan.topic)
        _check_images(bag, topic)
        if plan.deterministic:
            return _run_lockstep(plan, bag, topic, on_frame)
        return _run_real_time(plan, bag, topic, on_frame)


def _check_images(bag: BagReader, topic: str) -> None:
    """Refuse a topic without messages, or whose first one is no image, before a node starts."""
    first = next(bag.messages(topic), None)
    if first is None:
        raise BagError(f"there are no images on {topic} of '{bag.path}': nothing was recorded")
    check_image(first)


def _run_real_time(plan: ReplayPlan, bag: BagReader, topic: str, on_frame: OnFrame) -> ReplayLog:
    with contextlib.ExitStack() as stack:
        node = stack.enter_context(_start_node(plan, bag, topic, plan.cycles[0]))
        ros = stack.enter_context(RosSession('cfrnet_replay'))
        last_heard = [time.monotonic()]

        def heard(name: str, time_ns: int, data: bytes) -> None:
            if name == FACE_TOPIC:
                last_heard[0] = time.monotonic()

        max_hz = {name: plan.views_hz for name in (RESTORED_TOPIC, DEBUG_TOPIC)}
        recorder = Recorder(ros.node, plan.recording, plan.recorded, heard, max_hz)
        stack.callback(recorder.close)
        player = Player(ros.node, topic, bag.topics[topic])
        node.wait_until_active(ros.node)
        player.wait_for_subscriber()
        if not recorder.wait_for_publishers(*plan.recorded):
            raise ReplayError(f'not all of {", ".join(plan.recorded)} are published')

        client = ParameterClient(ros.node, node.name)
        parameters = client.get_all()
        passes: list[Pass] = []
        for cycles in plan.cycles:
            if passes:
                # Frames that the node is still working on belong to the cycles of the previous
                # pass.
                _wait_for_quiet(node, last_heard)
            asked_ns = time.time_ns()
            client.set({'cycles': cycles})
            played = Pass(cycles, asked_ns, [])
            passes.append(played)
            with LoadGenerator(plan.load) as load:
                for frame in player.play(bag.messages(topic), plan.rate, load.begin):
                    played.frames.append(frame)
                    node.check()
                    recorder.bag.check()
                    on_frame(cycles, frame, recorder.bag.counts)
            played.spikes.extend(load.spikes)
        _wait_for_quiet(node, last_heard)
        recorder.close()
        exit_code = node.stop()
    return ReplayLog(
        plan, topic, passes, recorder.bag.counts, node.command, node.log_file, exit_code, parameters
    )


def _run_lockstep(plan: ReplayPlan, bag: BagReader, topic: str, on_frame: OnFrame) -> ReplayLog:
    passes: list[Pass] = []
    parameters: dict[str, Any] = {}
    with RosSession('cfrnet_replay') as ros, contextlib.ExitStack() as stack:

        def answered(cycles: int, frame: PlayedFrame) -> None:
            on_frame(cycles, frame, player.counts)

        player = lockstep.Lockstep(plan, bag, topic, ros, answered)
        stack.callback(player.close)
        for number, cycles in enumerate(plan.cycles):
            with _start_node(plan, bag, topic, cycles, number) as node:
                played, found = player.play(number, cycles, node)
                exit_code = node.stop()
            passes.append(played)
            parameters = parameters or found
    return ReplayLog(
        plan, topic, passes, player.counts, node.command, node.log_file, exit_code, parameters
    )


def _start_node(
    plan: ReplayPlan, bag: BagReader, topic: str, cycles: int, number: int = 0
) -> NodeProcess:
    compressed = bag.topics[topic] == COMPRESSED
    parameters: dict[str, Any] = {'cycles': cycles, **plan.parameters}
    if plan.deterministic:
        # The plan's cycles override the user's parameters.
        parameters = {**lockstep.PARAMETERS, **parameters, 'cycles': cycles}
    if compressed:
        parameters['image_transport'] = 'compressed'
    files = [_write_qos(plan, topic), plan.params_file]
    return NodeProcess(
        plan.out / ('node.log' if number == 0 else f'node_{number + 1}.log'),
        parameters,
        {'image': topic},
        [file for file in files if file is not None],
        NODE_NAME,
    )


def _write_qos(plan: ReplayPlan, topic: str) -> Path:
    """Write the params file whose QoS keeps messages from overwriting each other."""
    outputs = (FACE_TOPIC, FUSED_TOPIC, FACE_STATUS_TOPIC, FRAME_STATUS_TOPIC, RESTORED_TOPIC)
    overrides: dict[str, Any] = {
        name: {'publisher': {'reliability': 'reliable', 'depth': _OUTPUT_DEPTH}} for name in outputs
    }
    if plan.deterministic:
        overrides[topic] = {'subscription': {'reliability': 'reliable', 'depth': 10}}
    path = plan.out / 'node_qos.yaml'
    path.write_text(yaml.safe_dump({'/**': {'ros__parameters': {'qos_overrides': overrides}}}))
    return path


def _wait_for_quiet(node: NodeProcess, last_heard: Sequence[float]) -> None:
    start = time.monotonic()
    while time.monotonic() - start < _QUIET_AT_MOST_S:
        node.check()
        if time.monotonic() - max(start, last_heard[0]) > _QUIET_S:
            return
        time.sleep(0.05)
