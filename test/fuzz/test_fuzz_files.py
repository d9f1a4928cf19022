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

"""Cards, ONNX files, bags, parameters and command lines are read or refused with a reason."""

from __future__ import annotations

import contextlib
import json
import os
from pathlib import Path
from typing import Any

import onnx
import pytest
from fuzzing import counted, fuzz
from hypothesis import given
from hypothesis import strategies as st
from onnx_models import scale_model

from cfrnet_ros.node.frame_report import record_of
from cfrnet_ros.node.parameters import PARAMETERS, Settings
from cfrnet_ros.node.parameters.overrides import find_problems
from cfrnet_ros.node.start_errors import ArgumentError, check_arguments, explain
from cfrnet_ros.replay.bag_reader import BagReader
from cfrnet_ros.replay.bag_writer import BagWriter
from cfrnet_ros.replay.errors import BagError
from cfrnet_ros.replay.main import _parser
from cfrnet_ros.vision.engine.external_data import external_locations
from cfrnet_ros.vision.engine.golden import load_golden
from cfrnet_ros.vision.engine.model_card import load_card
from cfrnet_ros.vision.errors import ModelError

JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=12)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=5), st.dictionaries(st.text(max_size=6), inner, max_size=4)
    ),
    max_leaves=12,
)
KEYS = ('name', 'size', 'dtype', 'value_range', 'layout', 'colour', 'template', 'iterative')
CARD = st.dictionaries(
    st.sampled_from([*KEYS, 'expose', 'precision', 'licence', 'golden', 'training', 'other']),
    JSON,
    max_size=6,
)
GOLDEN = st.fixed_dictionaries(
    {},
    optional={
        'file': st.one_of(
            st.sampled_from(['g.png', '../g.png', '/etc/passwd', '']), st.text(), JSON
        ),
        'sha256': st.one_of(st.text(max_size=64), JSON),
        'cycles': st.one_of(st.lists(st.integers(-1, 9), max_size=3), JSON),
        'limit_db': st.one_of(st.floats(), JSON),
    },
)


@pytest.fixture(scope='module')
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return scale_model(tmp_path_factory.mktemp('models') / 'model.onnx', 0.5)


# Each card is read together with its model by ONNX Runtime, which takes its time.
@fuzz(0.1)
@given(st.one_of(CARD, st.fixed_dictionaries({'golden': GOLDEN}), JSON))
@counted
def test_a_model_card_is_read_or_refused(model: Path, content: Any) -> None:
    model.with_suffix('.json').write_text(json.dumps(content))
    with contextlib.suppress(ModelError):
        load_golden(load_card(model))


@fuzz(0.1)
@given(st.one_of(st.binary(max_size=200), st.text(max_size=200).map(lambda t: t.encode('utf-8'))))
@counted
def test_a_model_card_of_any_bytes_is_read_or_refused(model: Path, content: bytes) -> None:
    model.with_suffix('.json').write_bytes(content)
    with contextlib.suppress(ModelError):
        load_card(model)


@st.composite
def damaged(draw: st.DrawFn, content: bytes) -> bytes:
    """Draw bytes with some of them changed, dropped, repeated or cut off."""
    changed = bytearray(content)
    for _ in range(draw(st.integers(1, 8))):
        at = draw(st.integers(0, max(0, len(changed) - 1)))
        how = draw(st.integers(0, 4))
        if how <= 1 and changed:
            changed[at] = draw(st.integers(0, 255))
        elif how == 2:
            del changed[at : at + draw(st.integers(1, 32))]
        elif how == 3:
            changed[at:at] = changed[at : at + draw(st.integers(1, 32))]
        else:
            del changed[at:]
    return bytes(changed)


TENSORS = st.lists(st.text(max_size=10), max_size=6)


def _onnx_with(locations: list[str]) -> onnx.ModelProto:
    proto = onnx.ModelProto(ir_version=10)
    for place, location in enumerate(locations):
        if place % 3 == 0:
            tensor = proto.graph.initializer.add(data_location=onnx.TensorProto.EXTERNAL)
        elif place % 3 == 1:
            tensor = proto.graph.node.add().attribute.add().t
        else:
            tensor = proto.functions.add().node.add().attribute.add().g.initializer.add()
        entry = tensor.external_data.add()
        entry.key, entry.value = 'location', location
        other = tensor.external_data.add()
        other.key, other.value = 'offset', '0'
    return proto


@fuzz()
@given(TENSORS)
@counted
def test_all_locations_of_weights_are_found(tmp_path: Path, locations: list[str]) -> None:
    path = tmp_path / 'model.onnx'
    path.write_bytes(_onnx_with(locations).SerializeToString())
    assert sorted(external_locations(path)) == sorted(locations)


WHOLE = _onnx_with(['a', '../b', 'c']).SerializeToString()


@fuzz(4)
@given(damaged(WHOLE))
@counted
def test_what_onnx_can_parse_hides_no_location(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / 'model.onnx'
    path.write_bytes(content or b'\0')
    try:
        found = set(external_locations(path))
    except ValueError:
        return
    proto = onnx.ModelProto()
    try:
        proto.ParseFromString(path.read_bytes())
    except Exception:  # protobuf's own error has no stable place
        return
    parsed = {
        entry.value
        for tensor in _tensors(proto)
        for entry in tensor.external_data
        if entry.key == 'location'
    }
    assert {os.fsdecode(location) for location in parsed} <= found


def _tensors(proto: onnx.ModelProto) -> list[onnx.TensorProto]:
    functions = [node for function in proto.functions for node in function.node]
    attributes = [a for node in [*proto.graph.node, *functions] for a in node.attribute]
    inner = [tensor for a in attributes for tensor in [a.t, *a.tensors, *a.g.initializer]]
    return [*proto.graph.initializer, *inner]


@pytest.fixture(scope='module')
def bag(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, bytes, bytes]:
    """Return a bag's folder, its metadata and its MCAP file."""
    path = tmp_path_factory.mktemp('bags') / 'bag'
    with BagWriter(path) as writer:
        writer.add_topic('/a', 'std_msgs/msg/String')
        for index in range(3):
            writer.write('/a', index, b'\0\1\0\0\2\0\0\0x\0')
    file = next(path.glob('*.mcap'))
    return path, (path / 'metadata.yaml').read_bytes(), file.read_bytes()


def read_or_refuse(path: Path) -> None:
    with contextlib.suppress(BagError), BagReader(path) as reader:
        with contextlib.suppress(BagError):
            reader.image_topic()
        assert reader.topics is not None
        assert reader.duration_s is not None
        for topic in reader.topics:
            for message in reader.messages(topic):
                assert isinstance(message.data, bytes)


@fuzz()
@given(st.data())
@counted
def test_metadata_of_a_bag_is_read_or_refused(
    bag: tuple[Path, bytes, bytes], data: st.DataObject
) -> None:
    path, metadata, content = bag
    next(path.glob('*.mcap')).write_bytes(content)
    (path / 'metadata.yaml').write_bytes(data.draw(damaged(metadata)))
    read_or_refuse(path)


@fuzz()
@given(st.data())
@counted
def test_an_mcap_file_is_read_or_refused(
    bag: tuple[Path, bytes, bytes], data: st.DataObject
) -> None:
    path, metadata, content = bag
    (path / 'metadata.yaml').write_bytes(metadata)
    file = next(path.glob('*.mcap'))
    file.write_bytes(data.draw(damaged(content)))
    read_or_refuse(path)
    read_or_refuse(file)


VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=12),
    st.lists(st.one_of(st.integers(), st.floats(), st.text(max_size=4)), max_size=5),
)


@fuzz(2)
@given(st.sampled_from(sorted(PARAMETERS)), VALUES)
@counted
def test_a_value_of_a_parameter_is_accepted_or_refused(name: str, value: Any) -> None:
    declared = PARAMETERS[name]
    try:
        converted = declared.convert(value)
    except ValueError as error:
        reason = str(error)
    else:
        # What is accepted makes valid settings, unless another parameter is needed for it.
        if name != 'max_identity_drift':
            field: dict[str, Any] = {declared.field: converted}
            assert getattr(Settings(**field), declared.field) == converted
        return
    assert name.rpartition('.')[2] in reason


@fuzz()
@given(
    st.dictionaries(
        st.one_of(st.sampled_from(sorted(PARAMETERS)), st.text(max_size=10)), VALUES, max_size=5
    )
)
@counted
def test_overrides_give_values_and_problems(overrides: dict[str, Any]) -> None:
    values, problems = find_problems(overrides, PARAMETERS)
    assert set(values) <= set(PARAMETERS)
    assert all(isinstance(problem, str) and problem for problem in problems)


WORDS = st.one_of(
    st.sampled_from(['--ros-args', '--', '-p', '-r', 'cycles:=3', 'image:=/cam', ':=', 'a:=:=b']),
    st.text(max_size=12),
)


@fuzz()
@given(st.lists(WORDS, max_size=6))
@counted
def test_arguments_of_the_node_are_accepted_or_refused(arguments: list[str]) -> None:
    with contextlib.suppress(ArgumentError):
        check_arguments(arguments)


@fuzz()
@given(
    st.one_of(
        st.text(max_size=60),
        st.sampled_from(
            [
                'Sequence should be of same type at line_num 99999999999',
                "'--params-file /no'. Error Cannot have a value before ros__parameters at line 0",
                'UnknownROSArgsError: []',
                "UnknownROSArgsError: ['a', ':=', 'b:=']",
            ]
        ),
    )
)
@counted
def test_every_error_at_start_is_explained(text: str) -> None:
    assert isinstance(explain(RuntimeError(text)), str)


@fuzz()
@given(st.text(max_size=30))
@counted
def test_a_parameter_of_the_replay_is_accepted_or_refused_by_the_parser(text: str) -> None:
    with contextlib.suppress(SystemExit):
        _parser().parse_args(['bag', f'--param=a:={text}'])
    with contextlib.suppress(SystemExit):
        _parser().parse_args(['bag', f'--load-spike={text}', f'--rate={text}'])


@fuzz()
@given(
    st.dictionaries(
        st.sampled_from(['latency/decode_ms', 'latency/total_ms', 'faces', 'cycles_used', 'x']),
        st.one_of(st.text(max_size=8), st.floats().map(str), st.integers().map(str)),
    )
)
@counted
def test_a_frame_status_is_read_or_refused(values: dict[str, str]) -> None:
    with contextlib.suppress(ValueError):
        record_of(values)
