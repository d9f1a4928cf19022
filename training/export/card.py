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

"""The model card: what a file is for, what made it, and the figures measured on it.

`make evaluate` writes the figures; ``python -m training.tools.card_figures`` takes those of
another evaluation over.
"""

from __future__ import annotations

import csv
import hashlib
import json
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import numpy_helper

from cfrnet_ros.vision.preprocessing.align import DEFAULT_TEMPLATE
from training.export.pair_sums import largest_pairs
from training.export.texts import (
    CREDITS,
    INTENDED_USE,
    LAYOUT_LIMITS,
    LICENCE,
    LIMITS,
    OUT_OF_SCOPE,
)

#: What the card says of a model's input and output, by `--io`.
IO_FORMATS: dict[str, dict[str, Any]] = {
    'uint8': {'dtype': 'uint8', 'layout': 'NHWC', 'colour': 'BGR', 'value_range': [0, 255]},
    'float': {'dtype': 'float32', 'layout': 'NCHW', 'colour': 'RGB', 'value_range': [0.0, 1.0]},
}

#: Digits after the point that the card keeps of a figure.
DIGITS = 4


def make_card(
    path: Path,
    *,
    title: str,
    precision: str,
    io: str,
    size: int,
    parameters: int,
    macs: int,
    training: Mapping[str, Any],
    data: Mapping[str, list[str]],
) -> dict[str, Any]:
    """Describe one exported file.

    Args:
        path: Path of the ONNX file.
        title: Name of the network for people, for instance 'CFRNet'.
        precision: 'fp32' or 'int8'.
        io: 'uint8' or 'float', see `IO_FORMATS`.
        size: Side of the square face in pixels.
        parameters: Number of parameters of the network.
        macs: Number of multiply-accumulate operations of one cycle.
        training: Facts about the run that the weights are from.
        data: Sources of the faces, see `data_sources`.

    Returns:
        The card, without figures (`metrics` is empty).

    """
    layout = training.get('config', {}).get('network', {}).get('layout', '')
    return {
        'name': f'{title} {size} {precision.upper()}',
        'file': path.name,
        'sha256': hashlib.sha256(path.read_bytes()).hexdigest(),
        'intended_use': INTENDED_USE,
        'out_of_scope': OUT_OF_SCOPE,
        'limits': [*LIMITS, *LAYOUT_LIMITS.get(layout, [])],
        'size': size,
        **IO_FORMATS[io],
        'iterative': True,
        'expose': True,
        'exposure': (
            'cfrnet_ros.vision.preprocessing.colour_noise.prepare_face first brightens underexposed'
            ' crops, and smooths the colours of very dark ones'
        ),
        'precision': precision,
        'template': [[round(float(v), 6) for v in point] for point in DEFAULT_TEMPLATE],
        'licence': LICENCE,
        'parameters': parameters,
        'gmac_per_cycle': round(macs / 1e9, 3),
        'training': dict(training),
        **data,
        'metrics': {},
    }


def integer_sums(path: Path) -> dict[str, Any]:
    """Describe what an INT8 file asks of a CPU.

    x86-64 CPUs without VNNI add pairs of products in 16 bits. A file whose pairs always fit gives
    the same bytes there as on CPUs that add in 32 bits.

    Args:
        path: ONNX file with signed 8-bit weights and unsigned 8-bit activations.

    Returns:
        `largest_pair_sum`, the largest magnitude that two products can add up to, and
        `same_on_every_cpu`, whether 16 bits hold it.

    """
    tensors = (numpy_helper.to_array(t) for t in onnx.load(str(path)).graph.initializer)
    weights = [t for t in tensors if t.dtype == np.int8 and t.ndim == 4]
    # 255 is the largest activation.
    largest = 255 * max(int(largest_pairs(w).max()) for w in weights)
    return {'largest_pair_sum': largest, 'same_on_every_cpu': largest < 2**15}


def data_sources(root: Path) -> dict[str, list[str]]:
    """Say on whose faces a run was trained and measured.

    Args:
        root: Folder with MANIFEST.tsv; its column `licence` is optional.

    Returns:
        `data` and `evaluation_data`, a line for every source and licence of the splits
        train and test, and `credits`, for the sources whose licence asks for it.

    """
    with (root / 'MANIFEST.tsv').open(newline='', encoding='utf-8') as stream:
        rows = list(csv.DictReader(stream, delimiter='\t'))
    counts = Counter(
        (row['split'], row['source'], row['synthetic'] == '1', row.get('licence') or '')
        for row in rows
    )

    def lines(wanted: str) -> list[str]:
        found = []
        for (split, source, synthetic, licence), number in counts.most_common():
            if split == wanted:
                what = 'generated face' if synthetic else 'photograph'
                terms = licence or 'licence not stated in the manifest'
                found.append(f'{source}: {number} {what}{"s" if number > 1 else ""}; {terms}')
        return found

    licences = ' '.join(licence for _, _, _, licence in counts)
    return {
        'data': lines('train'),
        'evaluation_data': lines('test'),
        'credits': [text for word, text in CREDITS.items() if word in licences],
    }


def metrics_of(results: Mapping[str, Any], sha256: str) -> dict[str, Any]:
    """Pick the figures of one file out of the evaluation's results.

    Args:
        results: Content of `docs/results.json`: under `models`, of each its `sha256` and its
            `sets`; of a set the number of `faces`, and under `k` by cycle and metric a number, or a
            mapping with the `mean`.
        sha256: Hash of the ONNX file.

    Returns:
        `results` (where they are from), `seed`, `manifest_sha256`, and by set `faces` and
        `k`: by cycle ('0' is the degraded input) and metric the mean to `DIGITS` digits.

    Raises:
        ValueError: The results are of other files.

    """
    for model in results['models'].values():
        if model['sha256'] == sha256:
            return {
                'results': 'docs/results.json',
                'seed': results.get('seed'),
                'manifest_sha256': results.get('manifest_sha256'),
                'sets': {
                    name: {
                        'faces': entry['faces'],
                        'k': {
                            k: {metric: _mean(figure) for metric, figure in row.items()}
                            for k, row in entry['k'].items()
                        },
                    }
                    for name, entry in model['sets'].items()
                },
            }
    measured = ', '.join(f'{n} {m["sha256"][:12]}' for n, m in results['models'].items())
    raise ValueError(
        f'the results are of other files ({measured or "none"}) than the one with sha256 '
        f'{sha256[:12]}...; measure it first: make evaluate'
    )


def _mean(figure: Any) -> float:
    return round(float(figure['mean'] if isinstance(figure, Mapping) else figure), DIGITS)


def write_metrics(card_path: Path, results: Mapping[str, Any]) -> None:
    """Write the figures measured on a file into its card.

    Args:
        card_path: Path of the JSON file beside the ONNX file.
        results: Content of `docs/results.json`, see `metrics_of`.

    Raises:
        ValueError: The results are of another file than the one that lies beside the card.

    """
    card = json.loads(card_path.read_text(encoding='utf-8'))
    digest = hashlib.sha256(card_path.with_suffix('.onnx').read_bytes()).hexdigest()
    if card['sha256'] != digest:
        raise ValueError(
            f"'{card_path}' describes another file than the one beside it; export both again"
        )
    card['metrics'] = metrics_of(results, digest)
    write_card(card_path, card)


def write_card(card_path: Path, card: Mapping[str, Any]) -> None:
    """Write a card as JSON."""
    card_path.write_text(json.dumps(card, indent=2) + '\n', encoding='utf-8')
