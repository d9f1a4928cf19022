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

"""Measures a latency budget during a load spike: ``python -m benchmarks.load_spike``.

The benchmark plays one bag in real time into the real node three times: without a budget, with a
budget, and with a budget and a convergence tolerance. In the middle, other processes keep every
core busy. It writes the figures and the picture of docs/tuning.md.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np

from benchmarks.machine import machine
from cfrnet_ros.replay.frames import DROPPED, PROCESSED, FrameRow, collect_frames
from cfrnet_ros.replay.load import LoadSpike
from cfrnet_ros.replay.plan import ReplayLog, ReplayPlan
from cfrnet_ros.replay.ros_domain import claim_domain
from cfrnet_ros.replay.session import run_replay
from cfrnet_ros.vision.stages import Stage
from demo import bad_camera
from demo.bag_frames import IMAGE_TOPIC, START_NS, CameraBag
from demo.scene import Scene

mpl.use('Agg')
from matplotlib.figure import Figure

SEED, FPS, SECONDS = 4, 10, 24.0
#: Time in seconds at which the good light of the scene becomes low.
DUSK_S = 8.0
SPIKE = LoadSpike(13.0, 5.0, 2 * (os.cpu_count() or 1))
CYCLES, BUDGET_MS, TOLERANCE = 4, 120.0, 0.003

#: Parameters of each run, by name.
RUNS: dict[str, dict[str, Any]] = {
    'no budget': {},
    'budget': {'latency_budget_ms': BUDGET_MS},
    'budget and convergence': {
        'latency_budget_ms': BUDGET_MS,
        'convergence_tolerance': TOLERANCE,
    },
}


def make_bag(path: Path) -> None:
    """Write the bag: one moving face, first in good light, then in low light."""
    scene, rng = Scene(SEED), np.random.default_rng(SEED)
    with CameraBag(path) as bag:
        for index in range(round(SECONDS * FPS)):
            now = index / FPS
            clean = scene.frame(now)
            see = bad_camera.perfect if now < DUSK_S else None
            seen = see(clean) if see else bad_camera.low_light(clean, now, rng)
            bag.frame(START_NS + round(now * 1e9), seen, None)


def play(bag: Path, out: Path, parameters: dict[str, Any]) -> tuple[ReplayLog, list[FrameRow]]:
    """Play the bag once into a node of its own."""
    os.environ['ROS_DOMAIN_ID'] = str(claim_domain())
    given = {'max_faces': 1, 'threads': 1, **parameters}
    plan = ReplayPlan(bag, out, topic=IMAGE_TOPIC, cycles=(CYCLES,), parameters=given, load=SPIKE)
    log = run_replay(plan)
    return log, collect_frames(log)


def summarise(rows: Sequence[FrameRow], spike: tuple[float, float]) -> dict[str, Any]:
    """Return the durations and cycles of a run's frames, outside and during the spike.

    Args:
        rows: Frames of one run.
        spike: Start and end of the spike, in seconds since the first frame.

    """
    start, end = spike
    parts: dict[str, list[FrameRow]] = {'calm': [], 'spike': []}
    for row in rows:
        parts['spike' if start <= row.time_s < end else 'calm'].append(row)
    found: dict[str, Any] = {}
    for name, part in parts.items():
        done = [row for row in part if row.outcome == PROCESSED]
        total = np.array([row.stages_ms[Stage.TOTAL] for row in done])
        used = [int(row.count('cycles_used')) for row in done if row.faces]
        found[name] = {
            'frames': len(part),
            'dropped': sum(row.outcome == DROPPED for row in part),
            'total_p50_ms': round(float(np.median(total)), 1),
            'total_p95_ms': round(float(np.percentile(total, 95)), 1),
            'within_budget': round(float((total <= BUDGET_MS).mean()), 3),
            'cycles_used': {str(k): used.count(k) for k in sorted(set(used))},
        }
    back = [
        row.time_s
        for row in rows
        if row.outcome == PROCESSED and row.time_s >= end and row.count('cycles_allowed') == CYCLES
    ]
    found['full_cycles_again_after_s'] = round(back[0] - end, 2) if back else None
    return found


def draw(runs: dict[str, tuple[list[FrameRow], tuple[float, float]]], path: Path) -> None:
    """Draw time and cycles of each frame, with one column per run."""
    figure = Figure(figsize=(11, 5.2), layout='constrained')
    grid = figure.subplots(2, len(runs), sharex=True, sharey='row', height_ratios=(2, 1))
    for (above, below), (name, (rows, spike)) in zip(grid.T, runs.items()):
        done = [row for row in rows if row.outcome == PROCESSED]
        times = [row.time_s for row in done]
        above.set_title(name)
        above.plot(times, [row.stages_ms[Stage.TOTAL] for row in done], '.', ms=4, color='#5b8db8')
        above.axhline(BUDGET_MS, color='#a8321f', lw=1, ls='--', label=f'{BUDGET_MS:g} ms')
        below.step(times, [row.count('cycles_allowed') for row in done], where='mid', lw=3)
        below.step(times, [row.count('cycles_used') for row in done], where='mid', lw=1.4)
        for axes in (above, below):
            axes.axvspan(*spike, color='#a8321f', alpha=0.12, lw=0)
            axes.axvline(DUSK_S, color='#444444', lw=0.8, ls=':')
            axes.spines[['top', 'right']].set_visible(False)
        below.set_xlabel('time, s')
    first = grid[:, 0]
    first[0].set_ylabel('a frame, ms')
    first[0].set_ylim(bottom=0)
    first[0].legend(frameon=False, loc='upper left', title='budget')
    first[1].set_ylabel('cycles')
    first[1].set_yticks(range(CYCLES + 1))
    first[1].legend(['allowed', 'used'], frameon=False, loc='lower left')
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=110)


def main() -> None:
    """Measure, and write and draw the results."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--out', type=Path, default=Path('benchmarks/load_spike.json'))
    parser.add_argument('--picture', type=Path, default=Path('docs/images/budget.png'))
    args = parser.parse_args()
    figures: dict[str, Any] = {}
    drawn: dict[str, tuple[list[FrameRow], tuple[float, float]]] = {}
    with tempfile.TemporaryDirectory() as folder:
        bag = Path(folder) / 'camera'
        make_bag(bag)
        for number, (name, parameters) in enumerate(RUNS.items()):
            log, rows = play(bag, Path(folder) / str(number), parameters)
            ((since, until),) = log.passes[0].spikes
            sent = log.passes[0].frames[0].sent_ns
            spike = ((since - sent) / 1e9, (until - sent) / 1e9)
            figures[name] = {'parameters': parameters, **summarise(rows, spike)}
            drawn[name] = (rows, spike)
    draw(drawn, args.picture)
    result = {
        'command': 'python -m benchmarks.load_spike',
        'machine': machine(),
        'cycles': CYCLES,
        'fps': FPS,
        'budget_ms': BUDGET_MS,
        'convergence_tolerance': TOLERANCE,
        'spike_processes': SPIKE.processes,
        'runs': figures,
    }
    args.out.write_text(json.dumps(result, indent=1) + '\n', encoding='utf-8')
    print(json.dumps(figures, indent=1))


if __name__ == '__main__':
    main()
