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

"""Measures what a thousand hours of recordings cost: ``python -m benchmarks.fleet``.

`cfrnet-fleet` restores bags and videos of a moving face with one worker and with two, and with one
cycle and two. The table of docs/fleet.md is written from the figures.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import av
import numpy as np

from benchmarks.machine import machine
from benchmarks.pages import replace_part
from cfrnet_ros.fleet.outcome import JOURNAL, read_journal
from demo.bag_frames import IMAGE_TOPIC, START_NS, CameraBag
from demo.scene import Scene

FPS, FRAMES = 15, 90
RECORDINGS = 2
PAGE = Path('docs/fleet.md')
#: Frames a second of the recordings that the cost is told for.
USUAL_FPS = 30


def make_recordings(folder: Path) -> None:
    """Write bags and videos of the same scene."""
    scene = Scene(9)
    frames = [scene.frame(index / FPS) for index in range(FRAMES)]
    for number in range(RECORDINGS):
        with CameraBag(folder / 'bags' / f'drive_{number}') as bag:
            for index, frame in enumerate(frames):
                bag.frame(START_NS + round(index / FPS * 1e9), np.asarray(frame, np.uint8), None)
        path = folder / 'videos' / f'clip_{number}.mp4'
        path.parent.mkdir(exist_ok=True)
        with av.open(str(path), 'w') as container:
            stream = container.add_stream('libx264', rate=FPS, options={'crf': '18'})
            stream.height, stream.width = frames[0].shape[:2]
            for frame in frames:
                container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format='bgr24')))
            container.mux(stream.encode())


def measure(inputs: Path, workers: int, cycles: int, topic: str) -> dict[str, Any]:
    """Run the command once, and return the frames, and the seconds of clock and processor."""
    with tempfile.TemporaryDirectory() as folder:
        words = [str(inputs), '--out', folder, '--workers', str(workers), '--cycles', str(cycles)]
        words += ['--topic', topic, '--set', 'max_faces=1', '--quiet']
        began = time.monotonic()
        subprocess.run([sys.executable, '-m', 'cfrnet_ros.fleet.main', *words], check=True)
        seconds = time.monotonic() - began
        outcomes = list(read_journal(Path(folder) / JOURNAL))
        size = sum(path.stat().st_size for path in Path(folder).rglob('*') if path.is_file())
    frames = sum(outcome.counts.frames for outcome in outcomes)
    return {
        'frames': frames,
        'faces': sum(outcome.counts.faces for outcome in outcomes),
        'seconds': round(seconds, 1),
        # Without the start of the workers.
        'busy_s': round(sum(outcome.wall_s for outcome in outcomes) / workers, 1),
        'cpu_s': round(sum(outcome.cpu_s for outcome in outcomes), 1),
        'bytes_a_frame': round(size / frames),
    }


def summarise(kind: str, cycles: int, by_workers: dict[int, dict[str, Any]]) -> dict[str, Any]:
    """Return a row of the table."""
    one, two = by_workers[1], by_workers[2]
    cpu_s = (one['cpu_s'] + two['cpu_s']) / (one['frames'] + two['frames'])
    hours = 1000 * USUAL_FPS * cpu_s
    return {
        'kind': kind,
        'cycles': cycles,
        'cpu_ms_a_frame': round(1e3 * cpu_s, 1),
        'two_workers_over_one': round(one['busy_s'] / two['busy_s'], 2),
        'core_hours_for_1000_h': round(hours),
        'gb_for_1000_h': round(1000 * 3600 * USUAL_FPS * one['bytes_a_frame'] / 1e9),
        'runs': {str(workers): run for workers, run in by_workers.items()},
    }


def table(result: dict[str, Any]) -> str:
    """Return the table of the page."""
    lines = [
        f'| recordings | k | processor time of a frame, ms | two workers, times as fast as one |'
        f' core hours for 1000 h at {USUAL_FPS} frames a second | GB written for them |',
        '| --- | --- | --- | --- | --- | --- |',
    ]
    lines += [
        f'| {row["kind"]} | {row["cycles"]} | {row["cpu_ms_a_frame"]} |'
        f' {row["two_workers_over_one"]} | {row["core_hours_for_1000_h"]} |'
        f' {row["gb_for_1000_h"]} |'
        for row in result['rows']
    ]
    about = result['machine']
    lines.append(
        f'\n640 x 480, one face, {RECORDINGS} recordings of {FRAMES} frames; {about["cores"]} cores'
        f' ({about["instructions"]}); load average at the start {about["load_average_1min"]}.'
    )
    return '\n'.join(lines)


def main() -> None:
    """Measure and write the figures and the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--out', type=Path, default=Path('benchmarks/fleet.json'))
    args = parser.parse_args()
    about = machine()
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        make_recordings(Path(folder))
        for kind, cycles in (('bags', 1), ('bags', 2), ('videos', 2)):
            runs = {
                workers: measure(Path(folder) / kind, workers, cycles, IMAGE_TOPIC)
                for workers in (1, 2)
            }
            rows.append(summarise(kind, cycles, runs))
            print(rows[-1], flush=True)
    result = {'command': 'python -m benchmarks.fleet', 'machine': about, 'fps': FPS, 'rows': rows}
    args.out.write_text(json.dumps(result, indent=1) + '\n', encoding='utf-8')
    replace_part(PAGE, 'fleet', table(result))


if __name__ == '__main__':
    main()
