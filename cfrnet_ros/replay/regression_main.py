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

"""`cfrnet-replay --compare A B`: prints the findings and returns an exit code for CI."""

from __future__ import annotations

import argparse
import csv
import math
import sys
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from cfrnet_ros.replay.captions import caption, fit
from cfrnet_ros.replay.errors import ReplayError
from cfrnet_ros.replay.pictures import Picture
from cfrnet_ros.replay.regression import Comparison, Difference, Limits, compare_runs, runs_of

SAME, DIFFERENT, BAD_INPUT = 0, 1, 2

#: Number of differing frames that are listed, and that are shown as pictures.
_NAMED, _SHOWN = 10, 8
_SIDE_PX = 192


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of the comparison to a parser."""
    default = Limits()
    group = parser.add_argument_group('comparison')
    group.add_argument(
        '--compare',
        type=Path,
        nargs=2,
        metavar=('A', 'B'),
        help='compare the result folders of two replays: is B as good as A? Writes comparison.*'
        ' to --out, if given',
    )
    group.add_argument(
        '--min-psnr',
        type=float,
        default=default.min_psnr,
        metavar='DB',
        help='PSNR below which two crops count as different (default %(default)g)',
    )
    group.add_argument(
        '--max-differing',
        type=float,
        default=default.max_differing,
        metavar='SHARE',
        help='largest share of the frames that may differ, 0 to 1 (default %(default)g)',
    )
    group.add_argument(
        '--max-psnr-drop',
        type=float,
        default=default.max_psnr_drop,
        metavar='DB',
        help='largest drop of the PSNR against the ground truth (default %(default)g)',
    )
    group.add_argument(
        '--max-latency-ratio',
        type=float,
        default=default.max_latency_ratio,
        metavar='TIMES',
        help="largest ratio of B's to A's latency, for p50 and p95; 0 for no limit (default"
        ' %(default)g)',
    )


def run(given: argparse.Namespace) -> int:
    """Compare two replays; returns the exit code."""
    try:
        limits = Limits(
            given.min_psnr, given.max_differing, given.max_psnr_drop, given.max_latency_ratio
        )
        found = compare_runs(given.compare[0], given.compare[1], limits)
        text = describe(found)
        if given.out is not None:
            _write(found, text, given.out)
    except (ReplayError, ValueError, OSError) as error:
        print(f'error: {error}', file=sys.stderr)
        return BAD_INPUT
    print(text)
    return DIFFERENT if found.problems else SAME


def describe(found: Comparison) -> str:
    """Return the findings in words and Markdown tables."""
    verdict = (
        'B differs from A by more than the limits allow' if found.problems else 'B is as good as A'
    )
    lines = [f'# {verdict}', '', f'A: `{found.a.path}`  ', f'B: `{found.b.path}`', '']
    lines += [f'- **{problem}**' for problem in found.problems]
    same = found.compared - len(found.differences)
    lines.append(
        f'- {found.compared} frames compared: {found.identical} identical, {same - found.identical}'
        f' with a PSNR of {found.limits.min_psnr:g} dB or more, {len(found.differences)} different'
        + (
            f'; {found.skipped} not compared, because one of the replays dropped them'
            if found.skipped
            else ''
        )
    )
    lines += [f'- {note}' for note in found.notes]
    for place, figures in enumerate(found.figures):
        cycles = found.a.summary['passes'][place]['cycles']
        lines += ['', f'| k = {cycles} | A | B | B / A |', '| --- | ---: | ---: | ---: |']
        for name, (old, new) in figures.items():
            if not (math.isnan(old) and math.isnan(new)):
                ratio = f'{new / old:.3f}' if old and not math.isnan(old + new) else ''
                label = name.removesuffix('_mean').replace('_', ' ')
                lines.append(f'| {label} | {old:.5g} | {new:.5g} | {ratio} |')
        indices = [d.key[1] for d in found.differences if d.key[0] == place]
        if indices:
            lines += ['', f'Frames that differ: {runs_of(indices)}']
    worst = _worst(found.differences)
    if worst:
        lines += ['', '| pass | frame | changes |', '| ---: | ---: | --- |']
        lines += [f'| {d.key[0]} | {d.key[1]} | {"; ".join(d.changes)} |' for d in worst[:_NAMED]]
        if len(worst) > _NAMED:
            lines += ['', f'and {len(worst) - _NAMED} more.']
    return '\n'.join(lines)


def _worst(differences: Sequence[Difference]) -> list[Difference]:
    return sorted(differences, key=lambda d: (d.psnr, d.key))


def _write(found: Comparison, text: str, out: Path) -> None:
    out.mkdir(parents=True, exist_ok=True)
    (out / 'comparison.md').write_text(text + '\n', encoding='utf-8')
    with (out / 'comparison.csv').open('w', newline='', encoding='utf-8') as file:
        writer = csv.writer(file, lineterminator='\n')
        writer.writerow(['pass', 'index', 'psnr', 'changes'])
        for difference in found.differences:
            alike = '' if math.isinf(difference.psnr) else f'{difference.psnr:.3f}'
            writer.writerow([*difference.key, alike, '; '.join(difference.changes)])
    keys = [d.key for d in _worst(found.differences) if math.isfinite(d.psnr)][:_SHOWN]
    if keys:
        chosen = [
            {key: crops[0] for key, crops in run.crops() if key in keys}
            for run in (found.a, found.b)
        ]
        rows = [_row(key, chosen[0][key], chosen[1][key]) for key in keys]
        cv2.imwrite(str(out / 'comparison.png'), np.vstack(rows))


def _row(key: tuple[int, int], a: Picture, b: Picture) -> Picture:
    pictures = [fit(a, _SIDE_PX), fit(b, _SIDE_PX)]
    # Amplified four times, since a difference that matters may be invisible.
    gap = np.clip(4 * np.asarray(cv2.absdiff(pictures[0], pictures[1]), np.int32), 0, 255)
    texts = (f'A, pass {key[0]}, frame {key[1]}', 'B', 'difference x 4')
    shown = (*pictures, gap.astype(np.uint8))
    return np.hstack([caption(picture, text) for picture, text in zip(shown, texts)])
