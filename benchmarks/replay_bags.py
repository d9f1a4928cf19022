"""Measures the effect of restoration on each difficult bag: ``python -m benchmarks.replay_bags``.

The benchmark replays the bags of `demo.cases` deterministically, through the real node, and writes
by bag and k: PSNR and flicker of the crops before and after, and the identity drift by restoration.
More bags, without a ground truth, can be added: ``--bag NAME=FOLDER``.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
from pathlib import Path
from typing import Any

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


def replay(bag: Path, out: Path, truth_topic: str | None) -> dict[str, Any]:
    """Play a bag with each number of cycles.

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
        parameters={'max_identity_drift': 180.0},
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
        '| bag | k | PSNR, dB | flicker, grey levels | identity drift, degrees |',
        '| --- | --- | --- | --- | --- |',
    ]
    for name, found in bags.items():
        for k in CYCLES:
            row = found.get(f'k{k}', {})
            if not row:
                continue
            pairs = [
                f'{row[f"{what}_before"]:.2f} to {row[f"{what}_after"]:.2f}'
                if f'{what}_before' in row
                else '-'
                for what in ('psnr', 'flicker')
            ]
            drift = f'{row[DRIFT]:.1f}' if DRIFT in row else '-'
            lines.append(f'| {name.replace("_", " ")} | {k} | {" | ".join(pairs)} | {drift} |')
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
        for name in CASES:
            # No face is visible in this bag, so there is nothing to measure.
            if name != 'no_face':
                bag = make_case(name, Path(folder) / 'bags' / name)
                bags[name] = replay(bag, Path(folder) / name, TRUTH_TOPIC)
        for name, path in own.items():
            bags[name] = replay(Path(path), Path(folder) / f'own_{name}', None)
    result = {
        'command': 'python -m benchmarks.replay_bags',
        'sha256': load_card(resolve_model('auto')).sha256,
        'bags': bags,
    }
    args.out.write_text(json.dumps(result, indent=1) + '\n', encoding='utf-8')
    print(table(bags))


if __name__ == '__main__':
    main()
