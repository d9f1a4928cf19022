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

"""Compares one process for N cameras with N processes: ``python -m benchmarks.cameras``.

Each variant gets the same images over DDS, more than it can process. Frames a second, processor
time and memory are measured. The variants take turns, so that a busy machine is unfair to none.
The table of docs/cameras.md is written from the figures.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.camera_load import CameraLoad, use_of
from benchmarks.machine import machine
from benchmarks.pages import replace_part
from cfrnet_ros.replay.node_process import NodeProcess
from cfrnet_ros.replay.ros_domain import claim_domain
from demo.scene import Scene

SECONDS, SETTLE_S = 15.0, 2.0
#: Images a second of all cameras together: more than two cores can restore.
IMAGES_HZ = 60.0
CYCLES = 2
PAGE = Path('docs/cameras.md')


@dataclass(frozen=True)
class Variant:
    """A way to run the cameras.

    Attributes:
        name: Name in the table.
        shared: Whether one process runs all cameras.
        threads: Parameter `threads`.
        at_once: Frames that the shared process works on at once.

    """

    name: str
    shared: bool
    threads: int
    at_once: int = 0


VARIANTS = (
    Variant('N processes', False, 0),
    Variant('one process', True, 0),
    Variant('one process, a frame at a time on all cores', True, 0, 1),
)


def start(variant: Variant, names: Sequence[str], folder: Path, stack: ExitStack) -> list[Any]:
    """Start the processes of a variant; they end with the stack."""
    parameters = {'threads': variant.threads, 'cycles': CYCLES, 'max_faces': 1}
    if variant.shared:
        words = ['cfrnet_ros.node.cameras', *names, '--at-once', str(variant.at_once)]
        every = NodeProcess(folder / 'log', parameters, name='', program=words)
        return [stack.enter_context(every)]
    return [
        stack.enter_context(
            NodeProcess(folder / name, parameters, name='', arguments=['-r', f'__ns:=/{name}'])
        )
        for name in names
    ]


def measure(variant: Variant, names: Sequence[str], frames: NDArray[np.uint8]) -> dict[str, Any]:
    """Run a variant for some seconds.

    Args:
        variant: Way to run the cameras.
        names: Namespaces of the cameras.
        frames: (T, H, W, 3) uint8 BGR images, which every camera shows in turn.

    Returns:
        Frames a second of all cameras and of the slowest one, median and 95th percentile of the
        time of a frame in ms, processor seconds a second, frames a processor second, memory in MB
        (proportional set size of all processes).

    """
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        processes = start(variant, names, Path(folder), stack)
        load = stack.enter_context(CameraLoad(names, frames, IMAGES_HZ / len(names)))
        load.wait_until_all_work(60.0)
        time.sleep(SETTLE_S)
        load.clear()
        before, began = use_of(processes), time.monotonic()
        time.sleep(SECONDS)
        after, seconds = use_of(processes), time.monotonic() - began
        done = load.done()
    cpu_s = after.cpu_s - before.cpu_s
    total_ms = [ms for each in done.values() for ms in each]
    rates = [len(each) / seconds for each in done.values()]
    return {
        'frames_per_s': round(sum(rates), 1),
        'slowest_camera_per_s': round(min(rates), 1),
        'p50_ms': round(float(np.median(total_ms)), 1),
        'p95_ms': round(float(np.percentile(total_ms, 95)), 1),
        'cores': round(cpu_s / seconds, 2),
        'frames_per_cpu_s': round(sum(rates) * seconds / cpu_s, 1),
        'memory_mb': round(after.memory_mb),
    }


def median_of(runs: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Return the medians of the runs, and the spread of the frames a second."""
    found = {key: round(statistics.median(run[key] for run in runs), 1) for key in runs[0]}
    rates = [run['frames_per_s'] for run in runs]
    return {**found, 'frames_per_s_range': [min(rates), max(rates)]}


def table(result: dict[str, Any]) -> str:
    """Return the table of the page."""
    lines = [
        '| cameras | variant | frames a second (range) | slowest camera | cores used |'
        ' a frame, median / 95 %, ms | frames a CPU second | memory, MB |',
        '| --- | --- | --- | --- | --- | --- | --- | --- |',
    ]
    for row in result['rows']:
        low, high = row['frames_per_s_range']
        lines.append(
            f'| {row["cameras"]} | {row["variant"]} | {row["frames_per_s"]} ({low} to {high}) |'
            f' {row["slowest_camera_per_s"]} | {row["cores"]} |'
            f' {row["p50_ms"]:.0f} / {row["p95_ms"]:.0f} |'
            f' {row["frames_per_cpu_s"]} | {row["memory_mb"]:.0f} |'
        )
    about = result['machine']
    lines.append(
        f'\n{result["width"]} x {result["height"]}, one face, k={CYCLES}, {IMAGES_HZ:.0f} images a'
        f' second in all; {about["cores"]} cores ({about["instructions"]}), which also send the'
        f' images; load average at the start {about["load_average_1min"]}; median of'
        f' {result["rounds"]} runs of {SECONDS:.0f} s.'
    )
    return '\n'.join(lines)


def main() -> None:
    """Measure and write the figures and the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--out', type=Path, default=Path('benchmarks/cameras.json'))
    parser.add_argument('--cameras', type=int, nargs='+', default=[2, 4])
    parser.add_argument('--rounds', type=int, default=3)
    args = parser.parse_args()
    os.environ['ROS_DOMAIN_ID'] = str(claim_domain())
    scene = Scene(9)
    frames = np.stack([scene.frame(index / 15.0) for index in range(45)])
    about = machine()
    rows: list[dict[str, Any]] = []
    for count in args.cameras:
        names = [f'camera_{number + 1}' for number in range(count)]
        runs: dict[str, list[dict[str, Any]]] = {v.name: [] for v in VARIANTS}
        for _ in range(args.rounds):
            for variant in VARIANTS:
                runs[variant.name].append(measure(variant, names, frames))
                print(count, variant.name, runs[variant.name][-1], flush=True)
        rows += [
            {'cameras': count, 'variant': name, **median_of(each), 'runs': each}
            for name, each in runs.items()
        ]
    result = {
        'command': 'python -m benchmarks.cameras',
        'machine': about,
        'width': frames.shape[2],
        'height': frames.shape[1],
        'images_hz': IMAGES_HZ,
        'cycles': CYCLES,
        'rounds': args.rounds,
        'rows': rows,
    }
    args.out.write_text(json.dumps(result, indent=1) + '\n', encoding='utf-8')
    replace_part(PAGE, 'cameras', table(result))


if __name__ == '__main__':
    main()
