"""Deterministic replay: every frame, one at a time, so that two runs give the same bag.

The next frame is sent once everything that belongs to the last one is here.
`~/frame/status` comes for every frame that the node took, with or without a face, and says
how many crops there are. A frame that it refused at the door, or that got lost on the way,
is known by the node's own count in `/diagnostics`.

What follows from the images goes to the bag `restored`, in the order of the frames, with
the bag's times: crops, restored frames, what is said about the faces. What depends on the
machine goes to the bag `diagnostics` as it arrives. Each number of cycles gets a node of
its own, so that no pass depends on the one before.
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
    REPRODUCIBLE,
    RESTORED_TOPIC,
    Pass,
    ReplayPlan,
)
from cfrnet_ros.replay.player import PlayedFrame, Player
from cfrnet_ros.replay.recorder import Recorder
from cfrnet_ros.replay.ros_session import RosSession
from cfrnet_ros.replay.stamps import read_stamp

#: What makes the node a function of its images; the user's own parameters are stronger.
#: One thread, because sums in another order differ in the last digit. Simulated time
#: without a clock, because ages of recorded images mean nothing.
PARAMETERS: dict[str, Any] = {'threads': 1, 'use_sim_time': True}

#: Between two looks at whether the node still lives, in seconds.
_LOOK_S = 0.2
#: The node's count is only believed if it was published this long after the sending: it
#: comes once a second, and a large image takes a moment to arrive.
_SETTLED_S = 1.2
#: A frame is sent again this often at most.
_RESENDS = 2

#: Called for every frame that was answered, with the cycles in force.
OnAnswer = Callable[[int, PlayedFrame], None]


class Lockstep:
    """Plays a bag frame by frame and writes what comes back."""

    def __init__(
        self, plan: ReplayPlan, bag: BagReader, topic: str, ros: RosSession, on_answer: OnAnswer
    ) -> None:
        """Prepare.

        Args:
            plan: see `ReplayPlan`.
            bag: to play.
            topic: of the images in it.
            ros: our own node.
            on_answer: see `OnAnswer`.

        Raises:
            ReplayError: a bag cannot be written.

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
        """Messages recorded by topic."""
        return {**self._recorder.bag.counts, **self._crops.counts}

    def _survey(self) -> tuple[int, int]:
        """Find by how much each pass is shifted, and how many frames make one view."""
        stamps, times = [], []
        for message in self._bag.messages(self._topic):
            with contextlib.suppress(ValueError):
                stamps.append(read_stamp(message.data))
            times.append(message.time_ns)
        if not times:
            raise ReplayError(f'there are no images on {self._topic} of {self._plan.bag}')
        span = max(max(stamps, default=0) - min(stamps, default=0), max(times) - min(times))
        seconds = (max(times) - min(times)) / 1e9
        hz = (len(times) - 1) / seconds if seconds > 0 else 1.0
        return (span // 10**9 + 2) * 10**9, max(1, round(hz / self._plan.views_hz))

    def play(self, number: int, cycles: int, node: NodeProcess) -> tuple[Pass, dict[str, Any]]:
        """Play the bag once.

        Args:
            number: of the pass, from 0.
            cycles: in force.
            node: just started.

        Returns:
            What was sent, and the node's parameters.

        Raises:
            ReplayError: the node died or does not answer, or its parameters make what it
                does depend on time.

        """
        self._answers.forget()
        node.wait_until_active(self._ros.node)
        self._player.wait_for_subscriber()
        if not self._recorder.wait_for_publishers(*self._listened):
            raise ReplayError(f'not all of {", ".join(self._listened)} are published')
        # Also a handshake: participants learn of each other's endpoints in the order in
        # which they were made, so whoever answers this client knows our subscriptions.
        parameters = ParameterClient(self._ros.node, node.name).get_all()
        if parameters.get('latency_budget_ms'):
            raise ReplayError(
                'a deterministic replay cannot have a latency_budget_ms: how many cycles fit'
                ' depends on the speed of the machine; set it to 0, or replay in real time'
            )
        played = Pass(cycles, time.time_ns(), [])
        for frame, answer in self._frames(node, number * self._shift_ns):
            played.frames.append(frame)
            self._write(frame, answer, number * self._shift_ns)
            self._on_answer(cycles, frame)
        node.stop()
        self._player.wait_for_no_subscriber()
        return played, parameters

    def _frames(self, node: NodeProcess, shift_ns: int) -> Iterator[tuple[PlayedFrame, Answer]]:
        rejected = 0
        for index, message in enumerate(self._bag.messages(self._topic)):
            try:
                stamp = read_stamp(message.data) + shift_ns
            except ValueError as error:
                raise ReplayError(f'image {index} on {self._topic} is broken: {error}') from error
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
            known = f'by its diagnostics it received {counters.received} images'
        return (
            f'the node did not answer frame {frame.index} within'
            f' {self._plan.answer_timeout_s:g} s ({known}); see {node.log_file}, and give a slow'
            ' machine more time by --answer-timeout'
        )

    def _write(self, frame: PlayedFrame, answer: Answer, shift_ns: int) -> None:
        messages = [(FACE_TOPIC, crop) for crop in answer.crops]
        if answer.restored is not None and frame.index % self._stride == 0:
            messages.append((RESTORED_TOPIC, answer.restored))
        if answer.faces is not None:
            messages.append((FACE_STATUS_TOPIC, answer.faces))
        # One nanosecond apart, so that readers that sort by time keep the order.
        for place, (topic, data) in enumerate(messages):
            self._crops.write_canonical(topic, frame.bag_time_ns + shift_ns + place, data)
