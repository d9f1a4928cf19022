"""How quality grew with training: ``python -m training.curve --data FACES CHECKPOINT...``.

Measures checkpoints of one run, all on the same validation faces, since what validates a run
can change while it goes on. Writes ``docs/training_curve.json`` and a plot beside it.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import matplotlib as mpl
import torch

from training.network import NetworkConfig, build_network
from training.validation import SETS, Validation

mpl.use('Agg')
from matplotlib.figure import Figure

CYCLES = (1, 2, 3, 4)
_SHADES = ('#cdb4db', '#b185c9', '#8e5ea2', '#5c3a6e')


def measure(paths: list[Path], data: Path) -> list[dict[str, Any]]:
    """Return of each checkpoint its step, its hours of training and its validation figures.

    Raises:
        FileNotFoundError: a checkpoint or the data are missing.

    """
    validation = Validation(data, torch.device('cpu'))
    rows = []
    for path in paths:
        state = torch.load(path, map_location='cpu', weights_only=True)
        layout: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list) else value
            for name, value in json.loads(state['config']).get('network', {}).items()
        }
        network = build_network(NetworkConfig(**layout))
        network.load_state_dict(state['average'])
        figures, _ = validation.measure(network.eval())
        rows.append(
            {
                'step': int(state['step']),
                'hours': round(float(state['elapsed']) / 3600, 2),
                **{name: round(value, 4) for name, value in figures.items()},
            }
        )
        print(rows[-1], flush=True)
    return sorted(rows, key=lambda row: int(row['step']))


def draw(rows: list[dict[str, Any]], path: Path) -> None:
    """Draw LPIPS by set and k, and how well a clean face is kept, over the hours."""
    figure = Figure(figsize=(11, 3.4), layout='constrained')
    axes = figure.subplots(1, 3)
    hours = [row['hours'] for row in rows]
    for axis, name in zip(axes, SETS, strict=False):
        axis.axhline(rows[0][f'{name}_lpips_0'], color='#9a9a9a', ls='--', lw=1, label='input')
        for k, shade in zip(CYCLES, _SHADES, strict=True):
            values = [row[f'{name}_lpips_{k}'] for row in rows]
            axis.plot(hours, values, color=shade, marker='o', ms=3, label=f'k = {k}')
        axis.set_title(f'LPIPS, {name}')
    for key, label, shade in (
        ('clean_kept_db', 'one cycle', _SHADES[0]),
        ('clean_kept_8_db', 'eight cycles', _SHADES[3]),
    ):
        axes[2].plot(hours, [row[key] for row in rows], color=shade, marker='o', ms=3, label=label)
    axes[2].set_title('A clean face, PSNR to itself, dB')
    for axis in axes:
        axis.set_xlabel('hours of training')
        axis.spines[['top', 'right']].set_visible(False)
        axis.legend(frameon=False, fontsize=8)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=110)


def main() -> None:
    """Measure, write and draw."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--data', type=Path, required=True, help='folder with MANIFEST.tsv')
    parser.add_argument('--docs', type=Path, default=Path('docs'))
    parser.add_argument('checkpoints', type=Path, nargs='+')
    args = parser.parse_args()
    rows = measure(args.checkpoints, args.data)
    text = json.dumps(rows, indent=1) + '\n'
    (args.docs / 'training_curve.json').write_text(text, encoding='utf-8')
    draw(rows, args.docs / 'images' / 'training_curve.png')


if __name__ == '__main__':
    main()
