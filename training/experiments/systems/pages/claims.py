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

"""The paper's own claims, each beside what was measured here.

The claims are those of the CFRNet paper (arXiv 2606.06850, a preprint without code or weights).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from training.experiments.systems.measuring.report import Report, RowFigures
from training.experiments.systems.pages.contrasts import METRICS, sets_of, verdict

HOLDS, PARTLY, NOT, UNTESTED = 'holds here', 'holds in part', 'does not hold here', 'not testable'

#: Fall of LPIPS from k=1 to k=3 that the paper reports.
LPIPS_FALL = 0.31

#: Variants that leave out one of the three losses of CCFP.
LOSSES = ('without_progressive', 'without_idempotence', 'without_redegradation')


@dataclass(frozen=True)
class Claim:
    """One claim.

    Attributes:
        claim: What the paper says.
        verdict: One of `HOLDS`, `PARTLY`, `NOT` and `UNTESTED`.
        evidence: Figures of this comparison, or why there are none.

    """

    claim: str
    verdict: str
    evidence: str


def claims(report: Report, npu: Mapping[str, Any] | None) -> list[Claim]:
    """Judge the paper's claims by the figures.

    Args:
        report: Figures of all rows; CFRNet is trained.
        npu: Content of `docs/deployability.json`, or None.

    """
    ours, shipped = report.rows['cfrnet'], report.rows.get('shipped_cfrnet')
    both = [row for row in (ours, shipped) if row is not None and row.quality]
    rivals = [row for row in report.rows.values() if row.group == 'comparison' and row is not ours]
    losses = [report.rows[name] for name in LOSSES if name in report.rows]
    return [
        _fall(both),
        _best_at_two(both),
        _better_than(rivals),
        _each_loss_helps(losses),
        _int8(ours),
        _others_do_not_compile(report, npu),
        Claim(
            '23 ms a cycle in INT8 on a HiSilicon Hi3402',
            UNTESTED,
            "HiSilicon's compiler and chip cannot be had. " + _estimate(npu),
        ),
    ]


def _judged(right: Sequence[bool]) -> str:
    return HOLDS if all(right) else PARTLY if any(right) else NOT


def _fall(rows: Sequence[RowFigures]) -> Claim:
    right, told = [], []
    for row in rows:
        falls = []
        for name in sets_of(rows):
            table = row.quality[name]['k']
            fall = 1.0 - table['3']['lpips'] / table['1']['lpips']
            right.append(fall >= LPIPS_FALL)
            falls.append(f'{100 * fall:.0f}% {name}')
        told.append(f'{row.title}: {", ".join(falls)}')
    return Claim(
        'LPIPS at k=3 is 31% below that at k=1', _judged(right), '; '.join(told) or 'not measured'
    )


def _best_at_two(rows: Sequence[RowFigures]) -> Claim:
    right, told = [], []
    for row in rows:
        best = []
        for name in sets_of(rows):
            table = row.quality[name]['k']
            peaks = [max(table, key=lambda k: table[k][m]) for m in ('psnr', 'ssim')]
            right.append(peaks == ['2', '2'])
            best.append(f'{name} k={peaks[0]} / {peaks[1]}')
        told.append(f'{row.title}: {", ".join(best)}')
    return Claim('PSNR and SSIM are best at k=2', _judged(right), '; '.join(told) or 'not measured')


def _better_than(rivals: Sequence[RowFigures]) -> Claim:
    never_worse, more_often, told = [], [], []
    for metric, title, _, more in METRICS:
        counts = {1: 0, 0: 0, -1: 0}
        for row in rivals:
            for name in sets_of(rivals):
                counts[verdict(row, name, metric, more)] += 1
        never_worse.append(counts[1] == 0)
        more_often.append(counts[-1] > counts[1])
        told.append(f'{title}: better in {counts[-1]}, level in {counts[0]}, worse in {counts[1]}')
    pairs = f'pairs of a system and a set, each at its best k ({len(rivals)} systems)'
    return Claim(
        'CFRNet beats the others trained from scratch alike',
        HOLDS if all(never_worse) else PARTLY if all(more_often) else NOT,
        f'{"; ".join(told)}, of the {pairs}',
    )


def _each_loss_helps(rows: Sequence[RowFigures]) -> Claim:
    right, told = [], []
    for row in rows:
        scores = [
            verdict(row, name, metric, more)
            for name in sets_of(rows)
            for metric, _, _, more in METRICS
        ]
        right.append(scores.count(-1) > scores.count(1))
        told.append(
            f'{row.title}: worse in {scores.count(-1)}, better in {scores.count(1)} of '
            f'{len(scores)} figures'
        )
    return Claim(
        'Each of the three losses of CCFP helps',
        _judged(right),
        f'{"; ".join(told)}. The fixed-point losses are to hold faces at larger k, which three '
        'cycles hardly show',
    )


def _int8(row: RowFigures) -> Claim:
    loss = row.int8_loss
    if loss is None:
        return Claim('INT8 keeps the quality', UNTESTED, 'INT8 was not measured')
    psnr, lpips = loss['psnr_change_db'], loss['lpips_change']
    kept = min(psnr) > -0.3 and max(lpips) < 0.01
    return Claim(
        'INT8 keeps the quality',
        HOLDS if kept else NOT,
        f'PSNR {" / ".join(f"{v:+.2f}" for v in psnr)} dB and LPIPS '
        f'{" / ".join(f"{v:+.3f}" for v in lpips)} at k = 1 / 2 / 3, {row.title} of this budget, '
        'not tuned',
    )


def _others_do_not_compile(report: Report, npu: Mapping[str, Any] | None) -> Claim:
    told = "HiSilicon's compiler cannot be had."
    if npu is not None:
        target = list(npu['targets'])[-1]
        whole, left, failed = [], [], []
        for name, entry in npu['rows'].items():
            title = report.title(name)
            found = entry.get('targets', {}).get(target, {})
            if 'reason' in entry or 'ms' not in found:
                failed.append(title)
            elif found.get('cpu_operators'):
                left.append(title)
            else:
                whole.append(title)
        told += f" Arm's Vela for {target} places wholly on the NPU: {', '.join(whole) or 'none'}"
        told += f'; leaves operators to the CPU in: {", ".join(left) or "none"}'
        told += f'; gives no estimate for: {", ".join(failed) or "none"}'
    if npu is not None and 'htp' in npu:
        told += f". Qualcomm's compiler {_taken(npu['htp']['rows'], report)}"
    if npu is not None and 'rockchip' in npu:
        told += f". Rockchip's compiler {_taken(npu['rockchip']['rows'], report)}"
    return Claim('The other systems cannot be compiled for its chip', UNTESTED, told)


def _taken(rows: Mapping[str, Any], report: Report) -> str:
    sorted_rows: dict[str, list[str]] = {'whole': [], 'in part': [], 'not': []}
    for name, entry in rows.items():
        title = report.title(name)
        kind = 'not' if 'reason' in entry else 'in part' if entry['cpu'] else 'whole'
        sorted_rows[kind].append(title)
    parts = [f'{kind}: {", ".join(titles)}' for kind, titles in sorted_rows.items() if titles]
    return 'takes ' + '; '.join(parts)


def _estimate(npu: Mapping[str, Any] | None) -> str:
    found = (npu or {}).get('rows', {}).get('cfrnet', {}).get('targets', {})
    told = [f'{v["ms"]:.1f} ms on {name}' for name, v in found.items() if 'ms' in v]
    return f"Arm's compiler estimates {', '.join(told)}" if told else 'No estimate was made'


def table(found: Sequence[Claim]) -> list[str]:
    """Return the lines of the table of claims."""
    lines = ['| claim | here | figures |', '| --- | --- | --- |']
    lines += [f'| {one.claim} | **{one.verdict}** | {one.evidence} |' for one in found]
    return lines
