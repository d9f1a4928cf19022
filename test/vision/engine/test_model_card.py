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

"""The model card, which states every fact that depends on the weights."""

from __future__ import annotations

import hashlib
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import helper
from onnx_models import invert_channel_model, save_model, scale_model, uint8_model

from cfrnet_ros.vision.engine import models
from cfrnet_ros.vision.engine.model_card import load_card
from cfrnet_ros.vision.engine.models import resolve_model, shipped_models
from cfrnet_ros.vision.errors import ModelError
from cfrnet_ros.vision.preprocessing.align import FFHQ_TEMPLATE


def identity(path: Path, shape: list[int | str], **kwargs: Any) -> Path:
    return save_model(path, [helper.make_node('Identity', ['face'], ['restored'])], shape, **kwargs)


def test_card_beside_the_file(tmp_path: Path) -> None:
    card = load_card(
        scale_model(tmp_path / 'm.onnx', 0.5, licence='Apache-2.0', training={'steps': 5}, note=1)
    )
    assert (card.name, card.size, card.dtype, card.layout) == ('scale', 64, 'float32', 'NCHW')
    assert (card.value_range, card.colour, card.iterative) == ((0.0, 1.0), 'RGB', True)
    assert (card.licence, card.training, card.extra) == ('Apache-2.0', {'steps': 5}, {'note': 1})
    assert card.template.shape == (5, 2)
    assert card.assumed == ()


def test_layout_size_and_type_come_from_the_graph(tmp_path: Path) -> None:
    card = load_card(invert_channel_model(tmp_path / 'a.onnx', 512))
    assert (card.size, card.layout, card.dtype, card.colour) == (512, 'NHWC', 'float32', 'BGR')
    card = load_card(uint8_model(tmp_path / 'b.onnx'))
    assert (card.dtype, card.value_range) == ('uint8', (0.0, 255.0))


def test_without_a_card_assumptions_are_listed(tmp_path: Path) -> None:
    card = load_card(identity(tmp_path / 'm.onnx', [1, 3, 128, 128]))
    assert (card.name, card.size, card.iterative) == ('m', 128, False)
    assert np.array_equal(card.template, FFHQ_TEMPLATE)
    assert [entry.split()[0] for entry in card.assumed] == [
        'value_range',
        'colour',
        'template',
        'iterative',
    ]


def test_metadata_inside_the_file_is_a_card_too(tmp_path: Path) -> None:
    metadata = {'cfrnet.value_range': '[-1, 1]', 'cfrnet.colour': 'BGR', 'cfrnet.iterative': 'true'}
    path = identity(tmp_path / 'm.onnx', [1, 3, 64, 64], metadata=metadata)
    card = load_card(path)
    assert (card.value_range, card.colour, card.iterative) == ((-1.0, 1.0), 'BGR', True)
    path.with_suffix('.json').write_text('{"colour": "RGB"}')
    assert load_card(path).colour == 'RGB'


def test_digest_is_verified(tmp_path: Path) -> None:
    path = scale_model(tmp_path / 'm.onnx', 0.5)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    scale_model(path, 0.5, sha256=digest)
    assert load_card(path).sha256 == digest
    scale_model(path, 0.25, sha256=digest)
    with pytest.raises(ModelError, match=r'not the file that its card describes'):
        load_card(path)


@pytest.mark.parametrize(
    ('wrong', 'cause'),
    [
        ({'size': 128}, r'says size 128, but the file has 64'),
        ({'layout': 'NHWC'}, r'layout'),
        ({'dtype': 'uint8'}, r'dtype'),
        ({'value_range': [1, 1]}, r'value_range must be two different'),
        ({'value_range': 'wide'}, r'value_range'),
        ({'colour': 'GRB'}, r"colour must be one of .*not 'GRB'"),
        ({'iterative': 'yes'}, r'iterative must be one of'),
        ({'template': [[0, 0]]}, r'template must be five'),
    ],
)
def test_wrong_card_is_refused_with_the_cause(
    tmp_path: Path, wrong: dict[str, Any], cause: str
) -> None:
    with pytest.raises(ModelError, match=cause):
        load_card(identity(tmp_path / 'm.onnx', [1, 3, 64, 64], card=wrong))


def test_unreadable_card_is_refused(tmp_path: Path) -> None:
    path = scale_model(tmp_path / 'm.onnx', 0.5)
    for text in ('{"size": ', '[1, 2]'):
        path.with_suffix('.json').write_text(text)
        with pytest.raises(ModelError, match='must be'):
            load_card(path)


def test_a_yaml_file_is_a_card_where_there_is_none_in_json(tmp_path: Path) -> None:
    path = identity(tmp_path / 'm.onnx', [1, 3, 512, 512])
    path.with_suffix('.yaml').write_text('value_range: [-1, 1]\ncolour: RGB  # as GFPGAN has it\n')
    card = load_card(path)
    assert (card.size, card.value_range, card.colour) == (512, (-1.0, 1.0), 'RGB')
    assert [entry.split()[0] for entry in card.assumed] == ['template', 'iterative']
    for text, cause in (
        ('value_range: [-1, 1', 'must be YAML'),
        ('- 1', 'must be a YAML object'),
        ('colour: GREY', 'colour must be one of'),
        ('size: 256', r'correct .*m\.yaml'),
    ):
        path.with_suffix('.yaml').write_text(text)
        with pytest.raises(ModelError, match=cause):
            load_card(path)
    path.with_suffix('.json').write_text('{"colour": "BGR"}')
    assert load_card(path).colour == 'BGR'


def test_a_yaml_card_without_the_package_names_the_remedy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = identity(tmp_path / 'm.onnx', [1, 3, 64, 64])
    path.with_suffix('.yaml').write_text('colour: RGB')
    monkeypatch.setitem(sys.modules, 'yaml', None)
    with pytest.raises(ModelError, match=r'needs the Python package pyyaml.*m\.json'):
        load_card(path)


def test_open_size_must_be_stated(tmp_path: Path) -> None:
    path = identity(tmp_path / 'm.onnx', ['b', 3, 'h', 'w'])
    with pytest.raises(ModelError, match=r'does not fix the size .*"size": 512'):
        load_card(path)
    path.with_suffix('.json').write_text(json.dumps({'size': 96}))
    assert load_card(path).size == 96


@pytest.mark.parametrize('shape', [[1, 1, 64, 64], [1, 3, 64, 32], [1, 64], [1, 3, 64, 64, 1]])
def test_models_that_take_no_square_colour_image_are_refused(
    tmp_path: Path, shape: list[int | str]
) -> None:
    with pytest.raises(ModelError, match=r'not (a face restorer|square)'):
        load_card(identity(tmp_path / 'm.onnx', shape))


def test_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match='there is no model file'):
        load_card(tmp_path / 'm.onnx')


def test_shipped_models_have_true_cards() -> None:
    shipped = shipped_models()
    assert len(shipped) >= 2
    for name, path in shipped.items():
        card = load_card(path)
        assert card.assumed == ()
        assert card.iterative
        assert name.endswith(card.precision)
        assert json.loads(path.with_suffix('.json').read_text())['sha256'] == card.sha256


def test_models_are_found_by_precision_name_and_path(tmp_path: Path) -> None:
    assert resolve_model('auto').stem.endswith('_int8')
    assert resolve_model('auto', 'fp32').stem.endswith('_fp32')
    assert resolve_model('fp32').stem.endswith('_fp32')
    for name, path in shipped_models().items():
        assert resolve_model(name) == path
    own = scale_model(tmp_path / 'own.onnx', 0.5)
    assert resolve_model(str(own)) == own


@pytest.fixture
def two_networks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder of models with the plain network beside the main one."""
    for name in ('cfrnet_256', 'cfrnet_plain_256', 'another_256'):
        for precision in ('fp32', 'int8'):
            (tmp_path / f'{name}_{precision}.onnx').touch()
    monkeypatch.setattr(models, 'MODEL_DIR', tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ('name', 'preferred', 'stem'),
    [
        ('auto', 'int8', 'cfrnet_256_int8'),
        ('auto', 'fp32', 'cfrnet_256_fp32'),
        ('fp32', 'int8', 'cfrnet_256_fp32'),
        ('int8', 'fp32', 'cfrnet_256_int8'),
        ('plain', 'int8', 'cfrnet_plain_256_int8'),
        ('plain', 'fp32', 'cfrnet_plain_256_fp32'),
        ('plain_fp32', 'int8', 'cfrnet_plain_256_fp32'),
        (' plain_int8 ', 'fp32', 'cfrnet_plain_256_int8'),
        ('another_256_int8', 'int8', 'another_256_int8'),
    ],
)
def test_the_main_network_is_taken_unless_the_plain_one_is_named(
    two_networks: Path, name: str, preferred: str, stem: str
) -> None:
    assert resolve_model(name, preferred) == two_networks / f'{stem}.onnx'


def test_only_auto_falls_back_to_the_other_precision(two_networks: Path) -> None:
    (two_networks / 'cfrnet_plain_256_int8.onnx').unlink()
    assert resolve_model('plain').stem == 'cfrnet_plain_256_fp32'
    with pytest.raises(ModelError, match=r"no model 'plain_int8'.*plain_fp32.*cfrnet_256_int8"):
        resolve_model('plain_int8')


@pytest.mark.parametrize('name', ['', 'int4', '_int8', 'auto_int8', '/nowhere/model.onnx'])
def test_unknown_model_is_refused_and_the_shipped_are_listed(name: str) -> None:
    with pytest.raises(ModelError, match=r'cfrnet_.*_int8'):
        resolve_model(name)


def test_a_precision_that_does_not_exist_is_refused() -> None:
    with pytest.raises(ValueError, match=r"one of fp32, int8, not 'cpu'"):
        resolve_model('auto', 'cpu')


def test_a_file_that_this_onnx_runtime_is_too_old_for_is_refused_with_the_reason(
    tmp_path: Path,
) -> None:
    # A long path, so that the reason is beyond the first 300 characters.
    folder = tmp_path / ('models' * 20) / ('of' * 50)
    folder.mkdir(parents=True)
    path = identity(folder / 'new.onnx', [1, 3, 64, 64])
    model = onnx.load(str(path))
    model.ir_version = 99
    onnx.save(model, str(path))
    with pytest.raises(ModelError, match='Unsupported model IR version: 99'):
        load_card(path)
