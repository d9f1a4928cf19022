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

"""The page `docs/results.md`, written from the measured figures and from nothing else."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from training.evaluation.page_tables import (
    DOWNSTREAM,
    FACE,
    LIKENESS,
    WITHOUT_TRUTH,
    Column,
    by_cycle,
    cell,
    table,
)
from training.evaluation.protocol import CLEAN, REAL, SETS
from training.evaluation.records import MeasuredModel, Results, Summary, Verdict

SET_TITLES = {
    'general': 'General: blur, down-sampling, noise and JPEG in random order and strength',
    'car': 'Car: low light, grey infrared, motion blur, glare, sensor noise, compression',
    'mosaic': 'Mosaic: 16x',
    'motion': 'Motion: blur of 6 to 16 px along lines and arcs, little noise, 80% JPEG',
    REAL: 'Real low-quality faces, without a truth',
    CLEAN: 'Clean faces',
}


#: What the groups of metrics are called.
_GROUPS = {
    'psnr': 'PSNR',
    'ssim': 'SSIM',
    'ms_ssim': 'MS-SSIM',
    'lpips': 'LPIPS',
    'dists': 'DISTS',
    'niqe': 'NIQE',
    'identity': 'Deg. and FED',
    'mesh': 'landmarks',
    'detection': 'faces found',
    'features': 'KID',
}

_HEAD = """# Results

Written by `make evaluate` from `docs/results.json`; change the script, not this page.

{people} people who took no part in training, one face each, aligned to 256x256 and degraded once
by seed {seed}. The shipped ONNX files ran through ONNX Runtime {onnxruntime} on the CPU, and every
image was rounded to eight bits before it was measured. k = 0 is the degraded input, k = 1..{cycles}
the cycles of one pass, fed back as in the node. In brackets: 95% confidence interval of the mean,
bootstrap over people. The main model is **{main}**, what a CPU user runs.
"""

_NOTES = """## How it was measured

- **Input**: underexposed crops are brightened by
  `cfrnet_ros.vision.preprocessing.colour_noise.prepare_face` before the first cycle, as in the
  node, and the colours of very dark ones are smoothed; k = 0 is neither.
- **PSNR, SSIM, MS-SSIM** over RGB. **LPIPS** is the AlexNet version, **DISTS** the published
  weights; training used LPIPS with VGG16, so DISTS's backbone is not wholly independent of it.
- **Deg., FED**: angle (degrees) and Euclidean distance between SFace embeddings of the face and of
  its truth; training used another network. Papers use ArcFace and others: compare these figures
  with each other only. Identity is **matched** from a cosine of 0.363, SFace's own threshold.
- **LMD**: mean distance of the 468 points of MediaPipe's mesh from those found in the truth, in
  percent of the distance between the outer corners of the eyes. **Eye openness**: mean of the two
  eyes' aspect ratios (height over width, about 0.3 open); its error is against the same mesh in the
  truth, its bias is positive where the eyes look wider open than they are. The mesh always answers:
  errors are over all faces, not only those where it claims to have found one.
- **NIQE**: on four blocks of 96x96 of the crop, so compare figures of this page only.
- **KID**: kernel distance over EfficientNet-Lite0 features from the undegraded test faces, ± its
  standard deviation over subsets. No Inception weights can be had, so this is no FID and compares
  with this page only. For real faces it tells how far they are from studio portraits, in subject
  and light as well.
- **Faces found**: by the detector that ships with the node, on the crop alone.
- **Residual**: mean absolute change of the k-th cycle, 0..1.
- PSNR above {highest_psnr:.0f} dB counts as {highest_psnr:.0f} dB.
{plans}
"""


def render_page(result: Results) -> str:
    """Return the Markdown page for the figures of `docs/results.json`."""
    main, models = result.main, result.models
    parts = [
        _HEAD.format(
            people=result.people,
            seed=result.seed,
            onnxruntime=result.software['onnxruntime'],
            cycles=result.cycles,
            main=_title(models, main),
        )
    ]
    if not result.complete:
        parts.append('**This is a partial run**; its figures are not those of the weights.\n')
    parts += _models(models, main)
    parts += _figures(result.figures)
    if main in models:
        parts += _main_tables(models[main].sets)
        parts += _downstream(models[main].sets)
        parts += _real(models[main].sets)
    parts += _fixed_point(result)
    parts += _others(models, main)
    parts.append(
        _NOTES.format(highest_psnr=result.highest_psnr_db, plans='\n'.join(_plans(result.plans)))
    )
    return '\n'.join(parts).rstrip() + '\n'


def _title(models: Mapping[str, MeasuredModel], name: str) -> str:
    return str(models[name].title) if name in models else name


def _models(models: Mapping[str, MeasuredModel], main: str) -> list[str]:
    rows = [
        [
            model.title + (' (main)' if name == main else ''),
            f'`{name}.onnx`',
            f'`{model.sha256[:16]}`',
        ]
        for name, model in models.items()
    ]
    return [table(['model', 'file', 'sha256'], rows)]


def _figures(figures: Sequence[Verdict]) -> list[str]:
    """One row a figure, one column a set."""
    names = [name for name in (*SETS, CLEAN) if any(f.name == name for f in figures)]
    cells: dict[tuple[str, str], dict[str, str]] = {}
    for figure in figures:
        verdict = '**yes**' if figure.reached else 'no'
        row = cells.setdefault((figure.figure, figure.target), {})
        row[figure.name] = f'{verdict}: {figure.measured}'
    rows = [[*title, *(row.get(name, '') for name in names)] for title, row in cells.items()]
    reached = sum(bool(f.reached) for f in figures)
    return [
        '## Figures to reach\n',
        f'{reached} of {len(figures)} are reached, by the means; each set is counted by itself.\n',
        table(['figure', 'target', *names], rows),
    ]


def _main_tables(sets: Mapping[str, Summary]) -> list[str]:
    parts = ['## Quality by cycle\n', '![PSNR and LPIPS by cycle](images/quality_by_cycle.png)\n']
    for name in SETS:
        if name in sets:
            parts.append(f'### {SET_TITLES[name]}\n')
            parts += _two_tables(sets[name])
    return parts


def _two_tables(entry: Summary) -> list[str]:
    return [
        'Likeness to the truth:\n',
        by_cycle(entry, LIKENESS),
        'The person, the landmarks, and how natural it looks:\n',
        by_cycle(entry, FACE),
    ]


def _downstream(sets: Mapping[str, Summary]) -> list[str]:
    parts = [
        '## What restoring buys and costs downstream\n',
        'Faces found, landmarks, eye openness and identity, as a driver monitor would get '
        'them from the degraded, the restored and the undegraded crop:\n',
    ]
    for name in (n for n in SETS if n in sets):
        rows = []
        for stage in ('0', '1', '2', '3'):
            row = sets[name].k.get(stage)
            if row is not None:
                title = 'degraded' if stage == '0' else f'restored, k={stage}'
                rows.append([title, *(cell(row.get(c.metric), c) for c in DOWNSTREAM)])
        truth = sets[name].truth
        rows.append(['clean', *(cell(truth.get(c.metric), c) for c in DOWNSTREAM)])
        parts.append(f'### {SET_TITLES[name].partition(":")[0]}\n')
        parts.append(table(['crop', *(c.heading for c in DOWNSTREAM)], rows))
        openness = truth.get('eye_openness')
        if openness is not None:
            parts.append(f'Mean eye openness of the clean crops: {openness.mean:.3f}.\n')
    return parts


def _real(sets: Mapping[str, Summary]) -> list[str]:
    if REAL not in sets:
        return []
    entry = sets[REAL]
    return [
        f'## {SET_TITLES[REAL]}\n',
        f'{entry.faces} faces from webcams, cars and old press photographs.\n',
        by_cycle(entry, WITHOUT_TRUTH),
    ]


def _fixed_point(result: Results) -> list[str]:
    curves = result.fixed_point
    if not curves:
        return []
    parts = ['## Fixed point\n', '![Residual and drift by cycle](images/fixed_point.png)\n']
    start = Column('psnr_to_start', '', 1)
    residual = Column('residual', '', 4)
    for name, title in (
        ('clean', 'Clean faces restored again and again: PSNR to themselves, dB; residual'),
        ('degraded', "Degraded faces: PSNR to the first cycle's output, dB; residual"),
    ):
        chosen = {m: sets[name] for m, sets in curves.items() if name in sets}
        if not chosen:
            continue
        people = next(iter(chosen.values())).faces
        rows = []
        for k in ('1', '2', '3', '4', '6', '8', '12', '16'):
            row = [k]
            for entry in chosen.values():
                figures = entry.k.get(k, {})
                row.append(cell(figures.get('psnr_to_start'), start))
                row.append(cell(figures.get('residual'), residual))
            rows.append(row)
        headings = ['k']
        for model in chosen:
            label = result.labels[model]
            headings += [label, f'{label}: residual']
        parts.append(f'{title} ({people} people).\n')
        parts.append(table(headings, rows))
    if not result.without_ccfp:
        parts.append('No weights trained without CCFP were given to compare with.\n')
    return parts


def _others(models: Mapping[str, MeasuredModel], main: str) -> list[str]:
    parts: list[str] = []
    for name, model in models.items():
        if name == main:
            continue
        parts.append(f'## {model.title}\n')
        for set_name in (n for n in SETS if n in model.sets):
            parts.append(f'### {model.title}: {set_name}\n')
            parts += _two_tables(model.sets[set_name])
    return parts


def _plans(plans: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Say in words what was not measured on everyone at every k, by what was covered."""
    everything = {group for shares in plans.values() for group in shares}
    cycles = {k for shares in plans.values() for share in shares.values() for k in share['cycles']}
    lines = []
    for title, shares in plans.items():
        limits = []
        for group, share in shares.items():
            parts = [] if share['every'] == 1 else [f'on every {share["every"]}th person']
            if set(share['cycles']) != cycles:
                parts.append(f'for k = {share["cycles"][0]}..{share["cycles"][-1]}')
            if parts:
                limits.append(f'{_GROUPS[group]} {" ".join(parts)}')
        absent = sorted(_GROUPS[group] for group in everything - set(shares))
        if absent:
            limits.append(f'no {", ".join(absent)}')
        if limits:
            lines.append(f'- To save time, {title}: {"; ".join(limits)}.')
    return lines
