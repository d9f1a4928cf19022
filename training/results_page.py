"""The page with the tables, written from the measured figures and from nothing else."""

from __future__ import annotations

from typing import Any

_SETS = {
    'general': 'Blur, down-sampling, noise and JPEG, in random order and strength',
    'car': 'Car: low light, grey infrared, motion blur, glare, sensor noise, compression',
    'mosaic': '16x mosaic',
}
_NAMES = {'fp32': 'FP32', 'int8': 'INT8 (QDQ)'}

_HEAD = """# Results

Written by `make evaluate` from `docs/results.json`; change the script, not this page.

{faces} people who took no part in training, one face each, aligned to 256x256 and degraded once
by seed {seed}. The shipped ONNX files ran through ONNX Runtime {onnxruntime} on the CPU; every
image was rounded to eight bits before it was measured. k = 0 is the degraded input. LPIPS is the
AlexNet version (training used the VGG16 version). In brackets: 95% confidence interval of the
mean, bootstrap over people. Underexposed crops are brightened by
`cfrnet_ros.vision.exposure.expose_face` before the first cycle, as in the node; k = 0 is not.
Residual: mean absolute change of the k-th cycle, 0..1.
"""


def render_page(result: dict[str, Any]) -> str:
    """Return the Markdown page for the figures of `training.evaluate`."""
    faces = max(
        entry['faces'] for model in result['models'].values() for entry in model['sets'].values()
    )
    parts = [_HEAD.format(faces=faces, seed=result['seed'], onnxruntime=result['onnxruntime'])]
    for precision, model in result['models'].items():
        parts.append(f'## {_NAMES.get(precision, precision)}\n')
        parts.append(f'`cfrnet_256_{precision}.onnx`, sha256 `{model["sha256"][:16]}`\n')
        for name, entry in model['sets'].items():
            parts.append(f'### {_SETS[name]}\n')
            parts.append(
                '| k | PSNR, dB | SSIM | LPIPS | residual |\n| --- | --- | --- | --- | --- |'
            )
            for k, row in entry['k'].items():
                cells = [
                    _cell(row['psnr'], 2),
                    _cell(row['ssim'], 3),
                    _cell(row['lpips'], 3),
                    f'{row["residual"]:.4f}' if 'residual' in row else '-',
                ]
                parts.append(f'| {k} | ' + ' | '.join(cells) + ' |')
            parts.append('')
        clean = model['clean']
        parts.append(f'### Clean faces restored again and again ({clean["faces"]} people)\n')
        parts.append('| k | PSNR to itself, dB |\n| --- | --- |')
        parts.extend(f'| {k} | {v:.1f} |' for k, v in clean['psnr_to_itself_db'].items())
        parts.append('')
    return '\n'.join(parts).rstrip() + '\n'


def _cell(figure: dict[str, Any], digits: int) -> str:
    low, high = figure['ci95']
    return f'{figure["mean"]:.{digits}f} ({low:.{digits}f}..{high:.{digits}f})'
