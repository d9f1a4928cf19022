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

"""Measures the effect of restoration on each difficult bag: ``python -m benchmarks.replay_bags``.

The benchmark replays the bags of `demo.cases` deterministically, through the real node, with each
frame restored alone and with fusion over time. By bag and k it writes PSNR and flicker of the crops
before and after, and the identity drift by restoration, into ``benchmarks/replay_bags.json`` and
the table of ``docs/replay.md``. More bags, without a ground truth, can be added:
``--bag NAME=FOLDER``.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
from pathlib import Path
from typing import Any

from benchmarks.pages import replace_part
from cfrnet_ros.replay.plan import ReplayPlan
from cfrnet_ros.replay.results import write_results
from cfrnet_ros.replay.ros_domain import claim_domain
from cfrnet_ros.replay.session import run_replay
from cfrnet_ros.vision.engine.model_card import load_card
from cfrnet_ros.vision.engine.models import resolve_model
from demo.bag_frames import IMAGE_TOPIC, TRUTH_TOPIC
from demo.cases import CASES, make_case

CYCLES = (1, 2, 3)
#: Figures of `results.summarise` that are kept, besides the node's own.
KEPT = ('psnr_before', 'psnr_after', 'flicker_before', 'flicker_after')
DRIFT = 'identity_drift_deg'
#: Values of the parameter `fusion`, by name.
FUSION = {'alone': 0.0, 'fused': 1.0}
PAGE = Path(__file__).resolve().parent.parent / 'docs' / 'replay.md'


def replay(bag: Path, out: Path, truth_topic: str | None, fusion: float) -> dict[str, Any]:
    """Play a bag with each number of cycles.

    Args:
        bag: Folder of the bag.
        out: Folder to create for what the replay writes.
        truth_topic: Topic with the ground truth, None without one.
        fusion: Value of the node's parameter `fusion`.

    Returns:
        Number of crops in a pass, and by 'k1', 'k2'... the means over them: PSNR in dB (absent
        without a ground truth), flicker in grey levels, identity drift in degrees.

    """
    os.environ['ROS_DOMAIN_ID'] = str(claim_domain())
    plan = ReplayPlan(
        bag,
        out,
        topic=IMAGE_TOPIC,
        cycles=CYCLES,
        # With this limit the drift is measured but no face is refused.
        parameters={'max_identity_drift': 180.0, 'fusion': fusion},
        deterministic=True,
        answer_timeout_s=120.0,
    )
    passes = write_results(run_replay(plan), truth_topic).passes
    found: dict[str, Any] = {'crops': passes[0]['crops']}
    for played in passes:
        figures = {name: played[f'{name}_mean'] for name in KEPT} | {
            DRIFT: played['node'].get(DRIFT)
        }
        found[f'k{played["cycles"]}'] = {
            name: round(value, 2) for name, value in figures.items() if value is not None
        }
    return found


def table(bags: dict[str, dict[str, Any]]) -> str:
    """Return the figures as a Markdown table."""
    lines = [
        '| bag | k | PSNR, dB: camera, alone, fused | flicker: camera, alone, fused |'
        ' drift, degrees: alone, fused |',
        '| --- | --- | --- | --- | --- |',
    ]
    for name, found in bags.items():
        for k in CYCLES:
            alone, fused = (found[way].get(f'k{k}', {}) for way in FUSION)
            cells = [
                f'{alone[f"{what}_before"]:.2f}, {alone[f"{what}_after"]:.2f},'
                f' {fused[f"{what}_after"]:.2f}'
                if f'{what}_before' in alone
                else '-'
                for what in ('psnr', 'flicker')
            ]
            drift = f'{alone[DRIFT]:.1f}, {fused[DRIFT]:.1f}' if DRIFT in alone else '-'
            lines.append(f'| {name.replace("_", " ")} | {k} | {" | ".join(cells)} | {drift} |')
    return '\n'.join(lines)


def main() -> None:
    """Replay, write and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--bag', action='append', default=[], metavar='NAME=FOLDER')
    parser.add_argument('--out', type=Path, default=Path('benchmarks/replay_bags.json'))
    args = parser.parse_args()
    own = dict(text.split('=', 1) for text in args.bag)
    bags: dict[str, dict[str, Any]] = {}
    with tempfile.TemporaryDirectory() as folder:
        # No face is visible in the bag `no_face`, so there is nothing to measure.
        played = {
            name: make_case(name, Path(folder) / 'bags' / name)
            for name in CASES
            if name != 'no_face'
        }
        truths: dict[str, str | None] = dict.fromkeys(played, TRUTH_TOPIC)
        played |= {name: Path(path) for name, path in own.items()}
        for name, path in played.items():
            bags[name] = {
                way: replay(path, Path(folder) / f'{name}_{way}', truths.get(name), fusion)
                for way, fusion in FUSION.items()
            }
            print(name, flush=True)
    result = {
        'command': 'python -m benchmarks.replay_bags',
        'sha256': load_card(resolve_model('auto')).sha256,
        'bags': bags,
    }
    args.out.write_text(json.dumps(result, indent=1) + '\n', encoding='utf-8')
    replace_part(PAGE, 'bags', table(bags))
    print(table(bags))


if __name__ == '__main__':
    main()
