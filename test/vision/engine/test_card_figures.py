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

"""The figures in the cards, and on the page generated from them, are those of the evaluation."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
from onnx_models import scale_model

from cfrnet_ros.vision.engine.models import MODEL_DIR, shipped_models
from training.export.card import data_sources, metrics_of, write_metrics
from training.export.cards_page import read_cards, render_page

RESULTS = Path(__file__).resolve().parents[3] / 'docs' / 'results.json'


def results_for(sha256: str) -> dict[str, Any]:
    row = {'psnr': {'mean': 28.123456, 'ci95': [27.0, 29.0]}, 'residual': 0.0123456}
    sets = {'general': {'faces': 3, 'k': {'0': row, '1': row}, 'truth': {}}}
    return {
        'seed': 5,
        'manifest_sha256': 'abc',
        'models': {
            'other': {'sha256': '0' * 64, 'sets': {}},
            'm': {'sha256': sha256, 'sets': sets},
        },
    }


@pytest.mark.parametrize('name', shipped_models())
def test_shipped_cards_hold_the_figures_measured_on_their_files(name: str) -> None:
    path = shipped_models()[name]
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    results = json.loads(RESULTS.read_text())
    card = json.loads(path.with_suffix('.json').read_text())
    assert card['metrics'] == metrics_of(results, digest)
    assert {'general', 'car', 'mosaic'} <= set(card['metrics']['sets'])


def test_the_models_page_is_generated_from_the_cards() -> None:
    assert (MODEL_DIR / 'README.md').read_text() == render_page(read_cards(MODEL_DIR))


@pytest.mark.parametrize('key', ['intended_use', 'out_of_scope', 'limits', 'data', 'licence'])
def test_shipped_cards_say_what_the_model_is_for_and_not_for(key: str) -> None:
    for card in read_cards(MODEL_DIR):
        assert card[key]
    assert 'identi' in json.dumps([card['out_of_scope'] for card in read_cards(MODEL_DIR)])


def test_figures_are_written_and_shown(tmp_path: Path) -> None:
    path = scale_model(tmp_path / 'm.onnx', 0.5)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    facts = {
        'sha256': digest,
        'size': 64,
        'file': 'm.onnx',
        'precision': 'fp32',
        'layout': 'NCHW',
        'dtype': 'float32',
        'parameters': 1,
        'gmac_per_cycle': 0.1,
        'licence': 'CC0',
    }
    card = path.with_suffix('.json')
    card.write_text(json.dumps({**json.loads(card.read_text()), **facts}))
    assert 'not measured yet' in render_page(read_cards(tmp_path))
    write_metrics(card, results_for(digest))
    metrics = json.loads(card.read_text())['metrics']
    assert metrics['seed'] == 5
    assert metrics['sets']['general']['k']['1'] == {'psnr': 28.1235, 'residual': 0.0123}
    assert '| 1 | 28.12 | 0.0123 |' in render_page(read_cards(tmp_path))


def test_the_page_says_what_mixed_weights_are_made_of() -> None:
    card = read_cards(MODEL_DIR)[0]
    mixture = {
        'of': 'start.onnx',
        'sha256': 'd' * 64,
        'towards': [{'run': 'eyes', 'encoder': 0.75, 'body': 0.0, 'rest': 1.0}],
    }
    page = render_page([{**card, 'training': {**card['training'], 'mixture': mixture}}])
    assert 'eyes (0.75 of the encoder, 1 of the rest)' in page
    assert f'start.onnx (SHA-256 `{"d" * 16}`)' in page
    assert 'Trained for' not in page


def test_the_page_says_how_weights_were_scaled_and_moved() -> None:
    card = read_cards(MODEL_DIR)[0]
    mixture = {'of': 'start', 'sha256': 'd' * 64, 'towards': [], 'scale': [['head', 0.88]]}
    steps = [
        {'of': 'mixed', 'towards': ['eyes', 'gpu.onnx'], 'faces': 638, 'scale': [['stem', 1.5]]},
        {'of': 'moved', 'towards': ['eyes'], 'faces': 40},
        {'of': 'again', 'towards': ['eyes'], 'faces': 9, 'filmed': 7, 'weigh': {'motion': 3.0}},
    ]
    made = {'mixture': mixture, 'figure_steps': steps}
    page = render_page([{**card, 'training': {**card['training'], **made}}])
    assert 'Then scaled: `head` by 0.88. Code' in page
    assert '638 degraded training faces, towards eyes, gpu.onnx. Then scaled: `stem` by' in page
    assert '40 degraded training faces, towards eyes. Moved' in page
    assert '9 degraded training faces and 7 that were filmed and fused, towards eyes.' in page
    assert 'Sets weighed: motion by 3.\n' in page


def test_figures_of_other_files_are_refused(tmp_path: Path) -> None:
    path = scale_model(tmp_path / 'm.onnx', 0.5)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    scale_model(path, 0.5, sha256=digest)
    with pytest.raises(ValueError, match=r'results are of other files .*make evaluate'):
        write_metrics(path.with_suffix('.json'), results_for('f' * 64))
    scale_model(path, 0.25, sha256=digest)
    with pytest.raises(ValueError, match=r'describes another file.*export'):
        write_metrics(path.with_suffix('.json'), results_for(digest))


def test_sources_and_credits_come_from_the_manifest(tmp_path: Path) -> None:
    (tmp_path / 'MANIFEST.tsv').write_text(
        'file\tsplit\tsynthetic\tsource\tlicence\n'
        'a\ttrain\t0\toffice\tpublic domain\n'
        'b\ttrain\t0\toffice\tpublic domain\n'
        'c\ttrain\t1\tmade\tCC0\n'
        'd\ttest\t0\tlondon\tCC BY 4.0 (figshare 5047666)\n'
    )
    found = data_sources(tmp_path)
    assert found['data'] == [
        'office: 2 photographs; public domain',
        'made: 1 generated face; CC0',
    ]
    assert found['evaluation_data'] == ['london: 1 photograph; CC BY 4.0 (figshare 5047666)']
    assert len(found['credits']) == 1
    assert 'DeBruine' in found['credits'][0]
