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

"""`README.md` of the models' folder, written from the cards and from nothing else."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

_HEAD = """# Models

Written from the model cards (the JSON files) by `make export` and `make evaluate`; change the
cards' texts in `training/export/texts.py`, not this page. The cards hold more: the whole
configuration of the run, the landmark template, the hashes.

| file | precision | input and output | parameters | GMAC a cycle | sha256 |
| --- | --- | --- | --- | --- | --- |
"""

#: Figures of the table, as far as they were measured: key, heading, digits, factor.
_COLUMNS: tuple[tuple[str, str, int, float], ...] = (
    ('psnr', 'PSNR, dB', 2, 1.0),
    ('ssim', 'SSIM', 3, 1.0),
    ('ms_ssim', 'MS-SSIM', 3, 1.0),
    ('lpips', 'LPIPS', 3, 1.0),
    ('dists', 'DISTS', 3, 1.0),
    ('niqe', 'NIQE', 2, 1.0),
    ('deg', 'identity, degrees', 1, 1.0),
    ('lmd', 'landmark error, %', 2, 100.0),
    ('residual', 'residual', 4, 1.0),
)


def render_page(cards: Sequence[Mapping[str, Any]]) -> str:
    """Return the Markdown page of some cards.

    Args:
        cards: Cards as `card.make_card` makes them; parts that a card lacks are left out.

    """
    parts = [_HEAD + '\n'.join(_row(card) for card in cards)]
    for heading, key in (
        ('Intended use', 'intended_use'),
        ('Out of scope', 'out_of_scope'),
        ('Limits', 'limits'),
        ('Training data', 'data'),
        ('Evaluation data', 'evaluation_data'),
        ('Credits', 'credits'),
    ):
        parts.extend(_shared(heading, key, cards))
    for card in cards:
        parts.append(f'## {card["name"]}')
        parts.append(_made_by(card))
        parts.extend(_figures(card.get('metrics')))
    return '\n\n'.join(parts) + '\n'


def write_page(folder: Path) -> Path:
    """Write the page of all cards of a folder into it, and return its path."""
    path = folder / 'README.md'
    path.write_text(render_page(read_cards(folder)), encoding='utf-8')
    return path


def read_cards(folder: Path) -> list[dict[str, Any]]:
    """Return the cards of the ONNX files of a folder, by name."""
    return [
        json.loads(path.with_suffix('.json').read_text(encoding='utf-8'))
        for path in sorted(folder.glob('*.onnx'))
    ]


def _row(card: Mapping[str, Any]) -> str:
    side = card['size']
    shape = f'{side}x{side}x3' if card['layout'] == 'NHWC' else f'3x{side}x{side}'
    low, high = (f'{v:g}' for v in card['value_range'])
    cells = [
        f'`{card["file"]}`',
        card['precision'].upper(),
        f'{card["dtype"]} 1x{shape} {card["colour"]} {low}..{high}',
        f'{card["parameters"]:,}',
        f'{card["gmac_per_cycle"]:.2f}',
        f'`{card["sha256"][:16]}`',
    ]
    return '| ' + ' | '.join(cells) + ' |'


def _shared(heading: str, key: str, cards: Sequence[Mapping[str, Any]]) -> list[str]:
    """Say once what several cards say, and of which where they differ."""
    said: dict[str, list[str]] = {}
    for card in cards:
        value = card.get(key)
        if value:
            text = value if isinstance(value, str) else '\n'.join(f'- {line}' for line in value)
            said.setdefault(text, []).append(card['name'])
    if not said:
        return []
    parts = [f'## {heading}']
    for text, names in said.items():
        if len(said) > 1:
            parts.append(f'{", ".join(names)}:')
        parts.append(text)
    return parts


def _mixed_of(training: Mapping[str, Any]) -> str:
    mixture = training['mixture']
    runs = '; '.join(
        f'{run["run"]} ('
        + ', '.join(
            f'{share:g} of the {part}' for part, share in run.items() if part != 'run' and share
        )
        + ')'
        for run in mixture['towards']
    )
    return (
        f'Mixed, without training, of {mixture["of"]} (SHA-256 `{mixture["sha256"][:16]}`) and a '
        f'share of the way from there to each of these runs: {runs}.'
        f'{_scaled(mixture)} Code {training["code_version"]}, manifest '
        f'`{training["manifest_sha256"][:16]}`.'
    )


def _scaled(made: Mapping[str, Any]) -> str:
    factors = ', '.join(f'`{module}` by {factor:g}' for module, factor in made.get('scale', ()))
    return f' Then scaled: {factors}.' if factors else ''


def _moved_by(steps: Sequence[Mapping[str, Any]]) -> str:
    return ' '.join(
        'Moved by a Gauss-Newton step (`training.experiments.gauss_newton`) from the responses of '
        f'{step["faces"]} degraded training faces{_filmed(step)}, towards '
        f'{", ".join(step["towards"])}.' + _weighed(step) + _scaled(step)
        for step in steps
    )


def _filmed(step: Mapping[str, Any]) -> str:
    return f' and {step["filmed"]} that were filmed and fused' if 'filmed' in step else ''


def _weighed(step: Mapping[str, Any]) -> str:
    factors = ', '.join(f'{name} by {factor:g}' for name, factor in step.get('weigh', {}).items())
    return f' Sets weighed: {factors}.' if factors else ''


def _made_by(card: Mapping[str, Any]) -> str:
    training = card.get('training', {})
    lines = [f'Licence of the weights: {card["licence"]}.']
    if 'mixture' in training:
        lines.append(_mixed_of(training))
    if 'figure_steps' in training:
        lines.append(_moved_by(training['figure_steps']))
    if 'steps' in training and 'mixture' not in training:
        seed = training.get('config', {}).get('seed')
        lines.append(
            f'Trained for {training["steps"]} steps in {training["seconds"] / 3600:.1f} h, seed '
            f'{seed}, code {training["code_version"]}, manifest '
            f'`{training["manifest_sha256"][:16]}`.'
        )
    if 'max_difference_from_pytorch' in training:
        lines.append(
            'Largest difference from PyTorch: '
            f'{training["max_difference_from_pytorch"]:.1e} (on a scale of 0..1'
            + (', rounding to eight bits included).' if card['dtype'] == 'uint8' else ').')
        )
    calibration = training.get('calibration')
    if calibration:
        lines.append(
            f'Calibrated on {calibration["faces"]} training faces: {calibration["scheme"]}.'
        )
    against = training.get('int8_against_fp32')
    if against:
        lines.append(
            f'Against FP32 on {against["faces"]} validation faces, k = 1..'
            f'{len(against["psnr_change_db"])}: PSNR '
            f'{", ".join(f"{v:+.2f}" for v in against["psnr_change_db"])} dB, LPIPS '
            f'{", ".join(f"{v:+.4f}" for v in against["lpips_change"])}; '
            f'{", ".join(f"{v:.1f}" for v in against["to_fp32_db"])} dB between both'
            + (f', measured on {against["cpu"]}.' if 'cpu' in against else '.')
        )
    sums = card.get('integer_sums')
    if sums and sums['same_on_every_cpu']:
        lines.append(
            f'Pairs of products add up to {sums["largest_pair_sum"]:,} at most, which 16 bits '
            'hold: x86-64 CPUs with and without VNNI give the same bytes.'
        )
    golden = card.get('golden')
    if golden:
        reached = ', '.join(f'{v:.1f}' for v in golden['reached_db'])
        lines.append(
            f'Golden crops for the self-test: `{golden["file"]}`; {reached} dB from the FP32 '
            f'reference at k = {", ".join(map(str, golden["cycles"]))} where the file was '
            f'exported, at least {golden["limit_db"]:.1f} dB are needed.'
        )
    return '\n'.join(lines)


def _figures(metrics: Any) -> list[str]:
    if not isinstance(metrics, Mapping) or not metrics.get('sets'):
        return ['Figures: not measured yet (`make evaluate`).']
    parts = []
    for name, entry in metrics['sets'].items():
        rows = entry['k']
        columns = [c for c in _COLUMNS if any(c[0] in row for row in rows.values())]
        table = [
            '| k | ' + ' | '.join(heading for _, heading, _, _ in columns) + ' |',
            '| --- |' + ' --- |' * len(columns),
        ]
        for k, row in rows.items():
            cells = [
                f'{row[key] * factor:.{digits}f}' if key in row else '-'
                for key, _, digits, factor in columns
            ]
            table.append(f'| {k} | ' + ' | '.join(cells) + ' |')
        parts.append(f'Set `{name}`, {entry["faces"]} people, k = 0 is the degraded input:')
        parts.append('\n'.join(table))
    parts.append(f'Intervals and further figures: `{metrics["results"]}`, `docs/results.md`.')
    return parts
