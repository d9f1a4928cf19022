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

"""The pages of the comparison: what is said follows from the figures."""

from __future__ import annotations

from typing import Any

import pytest

torch = pytest.importorskip('torch', reason='training needs PyTorch: make test-training')

from training.evaluation.meters import Readings  # noqa: E402
from training.experiments.systems.measuring.contrast import (  # noqa: E402
    against_reference,
    best_cycle,
)
from training.experiments.systems.measuring.report import Report, RowFigures  # noqa: E402
from training.experiments.systems.pages import comparison_page  # noqa: E402
from training.experiments.systems.pages.claims import (  # noqa: E402
    HOLDS,
    NOT,
    PARTLY,
    UNTESTED,
    claims,
)


def _face(number: int, lpips: tuple[float, ...]) -> Readings:
    values = {
        str(k): {'lpips': v, 'psnr': 30.0 - 10 * v, 'deg': 100 * v} for k, v in enumerate(lpips)
    }
    return Readings(number, f'{number}.jpg', values)


def _row(title: str, group: str, lpips: tuple[float, float, float], against: Any) -> RowFigures:
    psnr = (25.0, 26.0, 25.5)
    table = {
        str(k + 1): {'lpips': lpips[k], 'psnr': psnr[k], 'ssim': psnr[k] / 40, 'deg': 20.0}
        for k in range(3)
    }
    quality: dict[str, Any] = {'people': 2, 'k': table, 'truth': {}}
    if against is not None:
        quality['against_cfrnet'] = {
            'k': '3',
            **{metric: against for metric in ('lpips', 'psnr', 'deg')},
        }
    return RowFigures(title, group, network='net', quality={'general': quality})


def test_rows_are_compared_at_the_cycle_where_each_is_best_on_the_faces_of_both() -> None:
    row = [_face(n, (0.9, 0.30 + 0.01 * n, 0.4)) for n in range(6)]
    reference = [_face(n, (0.9, 0.5, 0.20 + 0.01 * n)) for n in range(8)]
    assert best_cycle(row) == '1'
    assert best_cycle(reference) == '2'
    found = against_reference(row, reference)
    assert found['k'] == '1'
    # The same in every face, so the interval is the difference itself.
    assert found['lpips'] == pytest.approx([0.1, 0.1, 0.1])
    assert found['deg'] == pytest.approx([10.0, 10.0, 10.0])
    assert found['psnr'] == pytest.approx([-1.0, -1.0, -1.0])


def test_a_claim_is_judged_by_the_figures() -> None:
    rows = {
        'shipped_cfrnet': _row('ours', 'shipped', (0.4, 0.3, 0.2), None),
        'resnet': _row('ResNet', 'comparison', (0.4, 0.4, 0.4), [0.1, 0.05, 0.15]),
        'cfrnet': _row('CFRNet', 'comparison', (0.4, 0.35, 0.3), None),
        'without_idempotence': _row('w/o', 'ablation', (0.4, 0.35, 0.3), [0.0, -0.1, 0.1]),
    }
    report = Report('a machine', 2, 1, 'x', 3, rows)
    found = {one.claim: one for one in claims(report, None)}
    fall = found['LPIPS at k=3 is 31% below that at k=1']
    # 25% in the row of the comparison, 50% in the shipped one.
    assert fall.verdict == PARTLY
    assert '25% general' in fall.evidence
    assert found['PSNR and SSIM are best at k=2'].verdict == HOLDS
    beats = found['CFRNet beats the others trained from scratch alike']
    # The other one is worse in LPIPS and identity, but its PSNR is higher.
    assert beats.verdict == NOT
    assert 'LPIPS: better in 1, level in 0, worse in 0' in beats.evidence
    assert 'PSNR, dB: better in 0, level in 0, worse in 1' in beats.evidence
    assert found['Each of the three losses of CCFP helps'].verdict == NOT
    assert found['23 ms a cycle in INT8 on a HiSilicon Hi3402'].verdict == UNTESTED


def test_the_page_tells_which_rows_are_better_beyond_the_interval() -> None:
    rows = {
        'resnet': _row('ResNet', 'comparison', (0.4, 0.4, 0.4), [0.1, 0.05, 0.15]),
        'level': _row('Level', 'comparison', (0.4, 0.4, 0.4), [0.1, -0.05, 0.15]),
        'cfrnet': _row('CFRNet', 'comparison', (0.4, 0.35, 0.3), None),
    }
    page = comparison_page.render(Report('a machine', 2, 1, 'x', 3, rows))
    line = next(text for text in page.splitlines() if text.startswith('| ResNet | +0.100'))
    assert line.split(' | ')[1:3] == [
        '+0.100 (+0.050..+0.150) worse',
        '+0.10 (+0.05..+0.15) better',
    ]
    assert line.endswith('worse |')
    level = next(text for text in page.splitlines() if text.startswith('| Level | +0.100'))
    assert 'worse' not in level
    assert 'better' not in level
    assert "## The paper's claims" in page


def test_what_compilers_take_whole_is_told_of_the_claim_that_others_cannot_be_compiled() -> None:
    rows = {
        'shipped_cfrnet': _row('ours', 'shipped', (0.4, 0.3, 0.2), None),
        'resnet': _row('ResNet', 'comparison', (0.4, 0.4, 0.4), [0.1, 0.05, 0.15]),
        'cfrnet': _row('CFRNet', 'comparison', (0.4, 0.35, 0.3), None),
    }
    npu = {
        'targets': ['U85-512'],
        'rows': {},
        'rockchip': {
            'rows': {'cfrnet': {'cpu': {}}, 'resnet': {'cpu': {'Sqrt': 1}}, 'x': {'reason': 'y'}}
        },
    }
    found = claims(Report('a machine', 2, 1, 'x', 3, rows), npu)
    told = next(one for one in found if 'compiled for its chip' in one.claim)
    assert told.verdict == UNTESTED
    assert told.evidence.endswith(
        "Rockchip's compiler takes whole: CFRNet; in part: ResNet; not: x"
    )
