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

"""Weights in other files are read from the model's own folder only."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from onnx_models import IR_VERSION, OPSET, scale_model

from cfrnet_ros.vision.detection.detector import YuNetDetector, default_model
from cfrnet_ros.vision.engine.external_data import check_external_data, external_locations
from cfrnet_ros.vision.engine.model_card import load_card
from cfrnet_ros.vision.engine.model_resize import resized_model
from cfrnet_ros.vision.engine.models import shipped_models
from cfrnet_ros.vision.engine.providers import ProviderChoice, choose_providers
from cfrnet_ros.vision.engine.sessions import create_session
from cfrnet_ros.vision.engine.sface_file import read_sface
from cfrnet_ros.vision.errors import ModelError

#: Locations outside of the model's folder, and one that ONNX Runtime takes for an address.
OUTSIDE = ('../../etc/passwd', '/etc/passwd', 'sub/../../weights', '../weights', '.')
ADDRESS = '*/_ORT_MEM_ADDR_/*'


def external(name: str, location: str) -> TensorProto:
    """Return a float tensor of one value that is stored in another file."""
    tensor = TensorProto(name=name, data_type=TensorProto.FLOAT, dims=[])
    tensor.data_location = TensorProto.EXTERNAL
    for key, value in (('location', location), ('offset', '0'), ('length', '4')):
        entry = tensor.external_data.add()
        entry.key, entry.value = key, value
    return tensor


def model_with(tensor: TensorProto, path: Path) -> Path:
    """Write a model that multiplies an image by a tensor, with a card."""
    shape = [1, 3, 64, 64]
    graph = helper.make_graph(
        [helper.make_node('Mul', ['face', tensor.name], ['restored'])],
        'test',
        [helper.make_tensor_value_info('face', TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info('restored', TensorProto.FLOAT, shape)],
        [tensor],
    )
    model = helper.make_model(
        graph, opset_imports=[helper.make_opsetid('', OPSET)], ir_version=IR_VERSION
    )
    path.write_bytes(model.SerializeToString())
    return path


@pytest.fixture
def cpu() -> ProviderChoice:
    return choose_providers('cpu')


@pytest.mark.parametrize('location', OUTSIDE)
def test_weights_outside_of_the_models_folder_are_refused_wherever_it_is_loaded(
    tmp_path: Path, cpu: ProviderChoice, location: str
) -> None:
    folder = tmp_path / 'models'
    folder.mkdir()
    (tmp_path / 'weights').write_bytes(np.float32(0.5).tobytes())
    model = model_with(external('factor', location), folder / 'model.onnx')
    for load in (
        check_external_data,
        load_card,
        read_sface,
        lambda path: create_session(path, cpu),
        lambda path: resized_model(path, 128, 'NCHW'),
        lambda path: YuNetDetector(path, cpu),
    ):
        with pytest.raises(ModelError, match=r'outside of its own folder|is missing'):
            load(model)


def test_an_address_in_memory_is_refused(tmp_path: Path) -> None:
    model = model_with(external('factor', ADDRESS), tmp_path / 'model.onnx')
    with pytest.raises(ModelError, match='which is missing'):
        check_external_data(model)


def test_a_symbolic_link_to_the_outside_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / 'models'
    folder.mkdir()
    (tmp_path / 'secret').write_bytes(np.float32(0.5).tobytes())
    (folder / 'weights').symlink_to(tmp_path / 'secret')
    model = model_with(external('factor', 'weights'), folder / 'model.onnx')
    with pytest.raises(ModelError, match='outside of its own folder'):
        check_external_data(model)


def test_a_name_that_is_not_utf_8_is_that_of_the_file(tmp_path: Path) -> None:
    folder = tmp_path / 'models'
    folder.mkdir()
    (tmp_path / 'secret').write_bytes(np.float32(0.5).tobytes())
    link = os.fsdecode(b'\xffweights')
    (folder / link).symlink_to(tmp_path / 'secret')
    # A harmless file whose name looks the same once it is shown.
    (folder / '\ufffdweights').write_bytes(np.float32(0.5).tobytes())
    model = model_with(external('factor', 'PLACE_IT'), folder / 'model.onnx')
    model.write_bytes(model.read_bytes().replace(b'PLACE_IT', b'\xffweights'))
    with pytest.raises(ModelError, match='outside of its own folder'):
        check_external_data(model)


def test_weights_beside_the_model_are_read(tmp_path: Path, cpu: ProviderChoice) -> None:
    (tmp_path / 'weights').write_bytes(np.float32(0.5).tobytes())
    model = model_with(external('factor', 'weights'), tmp_path / 'model.onnx')
    assert list(external_locations(model)) == ['weights']
    session = create_session(model, cpu).session
    face = np.ones((1, 3, 64, 64), np.float32)
    assert session.run(None, {'face': face})[0][0, 0, 0, 0] == 0.5


def test_tensors_are_found_wherever_a_file_may_hold_them(tmp_path: Path) -> None:
    def constant(name: str, location: str) -> onnx.NodeProto:
        return helper.make_node('Constant', [], [name], value=external('value', location))

    inner = helper.make_graph(
        [constant('x', 'in_subgraph')], 'inner', [], [], [external('w', 'of_subgraph')]
    )
    branch = helper.make_node('If', ['go'], ['y'], then_branch=inner, else_branch=inner)
    sparse = onnx.SparseTensorProto(
        values=external('s', 'sparse_values'), indices=external('i', 'sparse_indices')
    )
    graph = helper.make_graph(
        [constant('c', 'in_attribute'), branch], 'outer', [], [], [external('w', 'initializer')]
    )
    graph.sparse_initializer.append(sparse)
    many = graph.node[0].attribute.add(name='many', type=onnx.AttributeProto.TENSORS)
    many.tensors.append(external('t', 'in_list'))
    graphs = graph.node[0].attribute.add(name='graphs', type=onnx.AttributeProto.GRAPHS)
    graphs.graphs.append(helper.make_graph([], 'g', [], [], [external('t', 'in_list_of_graphs')]))
    model = helper.make_model(graph)
    function = model.functions.add(name='f', domain='d')
    function.node.append(constant('f', 'in_function'))
    model.training_info.add().initialization.initializer.append(external('t', 'in_training'))
    path = tmp_path / 'model.onnx'
    path.write_bytes(model.SerializeToString())
    assert set(external_locations(path)) == {
        'in_attribute',
        'in_function',
        'in_list',
        'in_list_of_graphs',
        'in_subgraph',
        'in_training',
        'initializer',
        'of_subgraph',
        'sparse_indices',
        'sparse_values',
    }


def test_files_of_usual_models_pass(tmp_path: Path) -> None:
    for path in [*shipped_models().values(), default_model()]:
        check_external_data(path)
        assert list(external_locations(path)) == []
    # Weights within the file are not mistaken for locations.
    tensor = numpy_helper.from_array(np.float32(2), 'location')
    check_external_data(model_with(tensor, tmp_path / 'model.onnx'))


@pytest.mark.parametrize('content', [b'', b'hello', b'\x3a\xff\xff\xff\xff\x0f', b'\x00\x01'])
def test_what_is_no_onnx_file_is_refused_with_a_reason(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / 'text.onnx'
    path.write_bytes(content)
    with pytest.raises(ModelError, match=r'cannot load .*text\.onnx.*complete ONNX file'):
        check_external_data(path)


def test_a_file_that_is_cut_off_anywhere_names_no_location(tmp_path: Path) -> None:
    whole = scale_model(tmp_path / 'm.onnx', 0.5).read_bytes()
    cut = tmp_path / 'cut.onnx'
    refused = 0
    for size in range(1, len(whole)):
        cut.write_bytes(whole[:size])
        try:
            found = list(external_locations(cut))
        except ValueError:
            refused += 1
        else:
            assert found == []
    # A file that ends between two fields is a shorter message.
    assert refused > len(whole) / 2
