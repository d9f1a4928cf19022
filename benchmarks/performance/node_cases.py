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

"""Runs the cases against real nodes, in turns, and reduces what was measured to figures."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from rcl_interfaces.srv import SetParameters
from rclpy.parameter import Parameter
from tqdm import tqdm

from benchmarks.performance.camera import Camera, Ros, Timed
from benchmarks.performance.cases import BASE, Case
from benchmarks.performance.node_under_test import CpuMeter, NodeUnderTest
from benchmarks.performance.scenes import frames
from cfrnet_ros.replay.parameter_client import ParameterClient
from cfrnet_ros.vision.stages import RESTORE_CYCLES, Stage

#: Frames of a scene; they are played forwards and backwards.
SCENE_FRAMES = 12
#: Frames after a change that are not counted: detector and fusion begin anew.
SETTLING = 8
#: Parts of a round trip: detection and cycles; fusion and smoothing over time; everything else in
#: the node; transport, and the work of the camera's and the consumer's processes.
PARTS = ('networks', 'over_time', 'rest', 'outside')


@dataclass(frozen=True)
class Effort:
    """How much is measured.

    Attributes:
        rounds: Times that all cases are run, in turns.
        frames: Most frames of a case in a round with one in flight.
        seconds: Seconds of a case in a round during which its node is kept busy; with one frame in
            flight it gets half as much again.
        budget_s: Seconds after which no further round is begun.

    """

    rounds: int
    frames: int
    seconds: float
    budget_s: float


@dataclass
class _Samples:
    """What was measured of a case, one entry a round."""

    timed: list[list[Timed]] = field(default_factory=list)
    lost: int = 0
    fps: list[float] = field(default_factory=list)
    cores: list[float] = field(default_factory=list)
    resident_mib: list[float] = field(default_factory=list)
    parameter_ms: list[float] = field(default_factory=list)


class Bench:
    """The nodes of all cases, started once, and the rounds in which they are measured."""

    def __init__(self, cases: Sequence[Case], domain: int, folder: Path) -> None:
        """Keep the cases; `run` starts the nodes.

        Args:
            cases: Cases to run.
            domain: ROS domain.
            folder: Folder for the nodes' logs.

        """
        self._cases, self._domain, self._folder = cases, domain, folder

    def run(self, effort: Effort) -> dict[str, Any]:
        """Measure all cases in turns.

        Returns:
            Figures by name of the case, as `_figures` makes them.

        """
        samples = {case.name: _Samples() for case in self._cases}
        with ExitStack() as stack:
            ros = stack.enter_context(Ros(self._domain))
            nodes = {case.node_name: case for case in self._cases}
            running: dict[str, NodeUnderTest] = {}
            for name, case in nodes.items():
                node = NodeUnderTest(self._folder, name, self._domain, case.parameters)
                stack.push(node)
                # One after another: a node that is configured measures its threads.
                node.wait_until_active(ros.node)
                running[name] = node
            start = time.monotonic()
            for number in range(effort.rounds):
                if number and time.monotonic() - start > effort.budget_s:
                    break
                for case in tqdm(self._cases, desc=f'round {number + 1}', mininterval=5.0):
                    self._measure(ros, running[case.node_name], case, effort, samples[case.name])
        return {case.name: _figures(case, samples[case.name]) for case in self._cases}

    def _measure(
        self, ros: Ros, node: NodeUnderTest, case: Case, effort: Effort, samples: _Samples
    ) -> None:
        pictures = frames(case.width, case.height, case.faces, SCENE_FRAMES)
        camera = Camera(ros, node.name.lstrip('/'), case.compressed, case.whole_frames)
        try:
            camera.wait()
            parameters = ParameterClient(ros.node, node.name)
            parameters.set(case.dynamic)
            messages = camera.messages(pictures)
            camera.one_by_one(messages, SETTLING)
            timed, lost = camera.one_by_one(messages, effort.frames, 1.5 * effort.seconds)
            samples.timed.append(timed)
            samples.lost += lost
            meter = CpuMeter(node)
            answered, seconds = camera.saturate(messages, effort.seconds, case.frames_in_work)
            samples.cores.append(meter.cores())
            samples.fps.append(answered / seconds)
            samples.resident_mib.append(node.resident_mib())
            if case.name == BASE.name:
                with _calls(ros, node, case, samples.parameter_ms):
                    camera.saturate(messages, effort.seconds)
        finally:
            camera.close()


@contextmanager
def _calls(ros: Ros, node: NodeUnderTest, case: Case, times: list[float]) -> Iterator[None]:
    """Set a parameter every 50 ms beside the block, and append the time of each answer in ms."""
    stop = threading.Event()
    client = ros.node.create_client(SetParameters, f'{node.name}/set_parameters')
    request = SetParameters.Request(
        parameters=[Parameter('cycles', value=case.cycles).to_parameter_msg()]
    )

    def work() -> None:
        client.wait_for_service(5.0)
        # The first answer may be lost, while the node has not discovered the client.
        stop.wait(0.3)
        while not stop.wait(0.05):
            done = threading.Event()
            start = time.perf_counter()
            client.call_async(request).add_done_callback(lambda _, done=done: done.set())
            if done.wait(2.0):
                times.append((time.perf_counter() - start) * 1e3)

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()
        ros.node.destroy_client(client)


def _figures(case: Case, samples: _Samples) -> dict[str, Any]:
    timed = [item for part in samples.timed for item in part]
    round_trips = np.array([item.round_trip_ms for item in timed])
    parts = [_parts(item) for item in timed]
    stages = {
        stage.value: _median(
            [t.record.stages_ms[stage] for t in timed if stage in t.record.stages_ms]
        )
        for stage in Stage
        if any(stage in item.record.stages_ms for item in timed)
    }
    medians = [float(np.median([t.round_trip_ms for t in part])) for part in samples.timed if part]
    return {
        'changed': case.changed,
        'width': case.width,
        'height': case.height,
        'faces': case.faces,
        'cycles': case.cycles,
        'frames': len(timed),
        'lost': samples.lost,
        'restored_faces': round(float(np.mean([t.record.restored for t in timed])), 2),
        'round_trip_ms': {
            'p50': _median(round_trips),
            'p99': round(float(np.percentile(round_trips, 99)), 2),
            'min': round(float(round_trips.min()), 2),
            'rounds': [round(value, 2) for value in medians],
        },
        'parts_ms': {
            name: {
                'p50': _median([part[name] for part in parts]),
                'min': round(min(part[name] for part in parts), 2),
            }
            for name in PARTS
        },
        'saturated_fps': {
            'median': _median(samples.fps),
            'best': round(max(samples.fps), 2),
            'rounds': [round(value, 2) for value in samples.fps],
        },
        'cores': _median(samples.cores),
        'resident_mib': {
            'first': round(samples.resident_mib[0], 1),
            'last': round(samples.resident_mib[-1], 1),
        },
        'stages_ms': stages,
        **({'parameter_call_ms': _calls_of(samples)} if samples.parameter_ms else {}),
    }


def _calls_of(samples: _Samples) -> dict[str, float]:
    times = np.array(samples.parameter_ms)
    return {
        'calls': len(times),
        'p50': _median(times),
        'p95': round(float(np.percentile(times, 95)), 2),
        'max': round(float(times.max()), 2),
    }


def _parts(item: Timed) -> dict[str, float]:
    """Divide a round trip into `PARTS`, in milliseconds."""
    stages = item.record.stages_ms

    def spent(*named: Stage) -> float:
        return sum(stages.get(stage, 0.0) for stage in named)

    networks, over_time = spent(Stage.DETECT, *RESTORE_CYCLES), spent(Stage.FUSE, Stage.SMOOTH)
    total = spent(Stage.TOTAL)
    return {
        'networks': networks,
        'over_time': over_time,
        'rest': total - networks - over_time,
        # Crops are sent before the last message, so that little may be left.
        'outside': max(0.0, item.round_trip_ms - total),
    }


def _median(values: Any) -> float:
    return round(float(np.median(values)), 2)
