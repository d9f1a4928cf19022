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

"""Deterministic replay: frames are sent one at a time, so that two runs give the same bag.

The next frame is sent once every message that belongs to the last one has arrived.
`~/frame/status` comes for every frame that the node processed, with or without a face, and
says how many crops there are. Whether the node refused a frame on reception, or never received
it, is known from the node's own count in `/diagnostics`.

Messages that follow from the images alone go to the bag `restored`, in the order of the frames
and with the times of the played bag: fused crops, crops, restored frames and face status.
Messages that depend on the machine go to the bag `diagnostics` as they arrive. Each number of
cycles gets a node of its own, so that no pass depends on the one before.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from typing import Any

from cfrnet_ros.replay.answers import Answer, Answers, Counters
from cfrnet_ros.replay.bag_reader import BagReader, check_image
from cfrnet_ros.replay.bag_writer import BagWriter
from cfrnet_ros.replay.errors import ReplayError
from cfrnet_ros.replay.node_process import NodeProcess
from cfrnet_ros.replay.parameter_client import ParameterClient
from cfrnet_ros.replay.plan import (
    DEBUG_TOPIC,
    FACE_STATUS_TOPIC,
    FACE_TOPIC,
    FUSED_TOPIC,
    REPRODUCIBLE,
    RESTORED_TOPIC,
    Pass,
    ReplayPlan,
)
from cfrnet_ros.replay.player import PlayedFrame, Player
from cfrnet_ros.replay.recorder import Recorder
from cfrnet_ros.replay.ros_session import RosSession
from cfrnet_ros.replay.stamps import read_stamp, usable

#: Parameters that make the node's output depend on its images only; the user's own parameters
#: override them. One thread, because sums in another order differ in the last digit. Simulated
#: time without a clock, because the ages of recorded images mean nothing.
PARAMETERS: dict[str, Any] = {'threads': 1, 'use_sim_time': True}

#: Seconds between two checks that the node is still running.
_LOOK_S = 0.2
#: The node's count is only used if it was published this many seconds after the frame was sent:
#: the count is published once a second, and a large image takes a moment to arrive.
_SETTLED_S = 1.2
#: Longest time in seconds until the node's first diagnostics, which it sends once a second.
_DIAGNOSTICS_S = 20.0
#: Most times that a lost frame is sent again.
_RESENDS = 2

#: Callback for every answered frame, with the number of cycles in force.
OnAnswer = Callable[[int, PlayedFrame], None]


class Lockstep:
    """Plays a bag frame by frame and records the node's answers."""

    def __init__(
        self, plan: ReplayPlan, bag: BagReader, topic: str, ros: RosSession, on_answer: OnAnswer
    ) -> None:
        """Prepare the replay and create its bags.

        Args:
            plan: Replay to run.
            bag: Bag to play.
            topic: Topic of the images in the bag.
            ros: ROS node of the replay itself.
            on_answer: Callback for every answered frame.

        Raises:
            ReplayError: A bag cannot be written.

        """
        self._plan, self._bag, self._topic, self._ros = plan, bag, topic, ros
        self._on_answer = on_answer
        self._answers = Answers()
        self._player = Player(ros.node, topic, bag.topics[topic])
        self._crops = BagWriter(plan.recording)
        for name, msgtype in REPRODUCIBLE.items():
            self._crops.add_topic(name, msgtype)
        kept = [name for name in plan.recorded if name not in REPRODUCIBLE]
        self._listened = {**plan.recorded, **REPRODUCIBLE}
        self._recorder = Recorder(
            ros.node,
            plan.measurements,
            self._listened,
            self._answers.hear,
            {DEBUG_TOPIC: plan.views_hz},
            kept,
        )
        self._shift_ns, self._stride = self._survey()

    def close(self) -> None:
        """Finish both bags."""
        self._recorder.close()
        self._crops.close()

    @property
    def counts(self) -> dict[str, int]:
        """Number of messages recorded on each topic."""
        return {**self._recorder.bag.counts, **self._crops.counts}

    def _survey(self) -> tuple[int, int]:
        """Find the time shift of each pass, and how many frames pass between two whole frames."""
        stamps, times = [], []
        for message in self._bag.messages(self._topic):
            with contextlib.suppress(ValueError):
                stamps.append(read_stamp(message.data))
            times.append(message.time_ns)
        if not times:
            raise ReplayError(f'there are no images on {self._topic} of {self._plan.bag}')
        self._stamped = usable(stamps)
        span = max(times) - min(times)
        if self._stamped:
            span = max(span, max(stamps) - min(stamps))
        seconds = (max(times) - min(times)) / 1e9
        hz = (len(times) - 1) / seconds if seconds > 0 else 1.0
        return (span // 10**9 + 2) * 10**9, max(1, round(hz / self._plan.views_hz))

    def play(self, number: int, cycles: int, node: NodeProcess) -> tuple[Pass, dict[str, Any]]:
        """Play the bag once.

        Args:
            number: Number of the pass, from 0.
            cycles: Number of cycles in force.
            node: Node that was just started.

        Returns:
            Frames that were sent, and the node's parameters.

        Raises:
            ReplayError: The node ended or does not answer, or its parameters make the output
                depend on time.

        """
        self._answers.forget()
        node.wait_until_active(self._ros.node)
        self._player.wait_for_subscriber()
        if not self._recorder.wait_for_publishers(*self._listened):
            raise ReplayError(f'not all of {", ".join(self._listened)} are published')
        # This request is a handshake as well: participants learn of each other's endpoints in the
        # order in which these were made, so a node that answers this client knows the
        # subscriptions of the replay.
        parameters = ParameterClient(self._ros.node, node.name).get_all()
        if parameters.get('latency_budget_ms'):
            raise ReplayError(
                'a deterministic replay is not possible with a latency_budget_ms: how many cycles'
                ' fit depends on the speed of the machine; set it to 0, or run without'
                ' --deterministic'
            )
        played = Pass(cycles, time.time_ns(), [])
        for frame, answer in self._frames(node, number * self._shift_ns):
            played.frames.append(frame)
            self._write(frame, answer, number * self._shift_ns)
            self._on_answer(cycles, frame)
        self._wait_for_diagnostics(node)
        node.stop()
        self._player.wait_for_no_subscriber()
        return played, parameters

    def _wait_for_diagnostics(self, node: NodeProcess) -> None:
        """Wait for the first diagnostics of the node: a bag of a few frames ends before them."""
        end = time.monotonic() + _DIAGNOSTICS_S
        while self._answers.counters is None:
            node.check()
            if time.monotonic() > end:
                raise ReplayError(
                    f'the node sent no diagnostics for {_DIAGNOSTICS_S:.0f} s, which the tables and'
                    f' the report need: see {node.log_file}'
                )
            time.sleep(0.02)

    def _frames(self, node: NodeProcess, shift_ns: int) -> Iterator[tuple[PlayedFrame, Answer]]:
        rejected = 0
        for index, message in enumerate(self._bag.messages(self._topic)):
            try:
                stamp = read_stamp(message.data)
            except ValueError as error:
                raise ReplayError(f'image {index} on {self._topic} is damaged: {error}') from error
            stamp = (stamp if self._stamped else message.time_ns) + shift_ns
            answer = self._answers.expect(stamp)
            for _ in range(_RESENDS + 1):
                frame = self._player.send(message, index, stamp)
                verdict = self._wait(node, frame, answer, rejected)
                if verdict != 'lost':
                    break
            else:
                check_image(message)
                raise ReplayError(
                    f'frame {index} did not reach the node in {_RESENDS + 1} attempts; see'
                    ' "Few images arrive, or none" in docs/troubleshooting.md'
                )
            if verdict == 'rejected':
                rejected += 1
            yield frame, answer

    def _wait(self, node: NodeProcess, frame: PlayedFrame, answer: Answer, rejected: int) -> str:
        """Wait for the answer; returns 'answered', 'rejected' or 'lost'."""
        start = time.monotonic()
        while not self._answers.wait(_LOOK_S):
            node.check()
            counters = self._answers.counters
            if counters is not None and counters.heard > start + _SETTLED_S:
                if counters.received <= frame.index:
                    return 'lost'
                if sum(counters.rejected.values()) > rejected:
                    return 'rejected'
            if time.monotonic() - start > self._plan.answer_timeout_s:
                raise ReplayError(self._explain(frame, counters, node))
        report = answer.report
        return 'rejected' if report is not None and report.rejected else 'answered'

    def _explain(self, frame: PlayedFrame, counters: Counters | None, node: NodeProcess) -> str:
        known = 'it has sent no diagnostics'
        if counters is not None:
            known = f'according to its diagnostics it received {counters.received} images'
        return (
            f'the node did not answer frame {frame.index} within'
            f' {self._plan.answer_timeout_s:g} s ({known}); see {node.log_file}, and increase'
            ' --answer-timeout if the machine is slow'
        )

    def _write(self, frame: PlayedFrame, answer: Answer, shift_ns: int) -> None:
        self._recorder.bag.check()
        messages = [(FUSED_TOPIC, crop) for crop in answer.fused]
        messages += [(FACE_TOPIC, crop) for crop in answer.crops]
        if answer.restored is not None and frame.index % self._stride == 0:
            messages.append((RESTORED_TOPIC, answer.restored))
        if answer.faces is not None:
            messages.append((FACE_STATUS_TOPIC, answer.faces))
        # Times that differ by a nanosecond keep the order for readers that sort by time.
        for place, (topic, data) in enumerate(messages):
            self._crops.write_canonical(topic, frame.bag_time_ns + shift_ns + place, data)
