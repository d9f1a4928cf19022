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

"""The degraded test faces, and the cycles that models make of them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

torch = pytest.importorskip('torch', reason='training needs PyTorch: make test-training')

from cfrnet_ros.vision.engine.models import shipped_models  # noqa: E402
from cfrnet_ros.vision.engine.providers import choose_providers  # noqa: E402
from cfrnet_ros.vision.restoration.restorer import Restorer  # noqa: E402
from training.data.crops import aligned  # noqa: E402
from training.data.manifest import read_manifest  # noqa: E402
from training.evaluation.cases import CaseSet, has_real_faces  # noqa: E402
from training.evaluation.protocol import SETS  # noqa: E402
from training.evaluation.runner import CycleRunner  # noqa: E402


@pytest.mark.parametrize('grey', [False, True], ids=['colour', 'grey'])
@pytest.mark.parametrize('name', sorted(shipped_models()))
def test_every_cycle_is_what_the_node_would_publish(faces: Path, name: str, grey: bool) -> None:
    crop = CaseSet(faces, 'car').case(0).degraded
    if grey:
        crop = np.repeat(crop[..., 1:2], 3, axis=2)
    path = shipped_models()[name]
    pictures, residuals = CycleRunner(path)(crop, 4)
    restorer = Restorer(path, choose_providers('cpu'), threads=1)
    for k in range(1, 5):
        restored = restorer.restore(crop, k)
        np.testing.assert_array_equal(pictures[k - 1], restored.crop)
    assert residuals == pytest.approx(restored.residuals, rel=1e-3)


def byte_model(path: Path, **card: Any) -> Path:
    """Write a uint8 NHWC model that exchanges the first and the last channel."""
    graph = helper.make_graph(
        [helper.make_node('Gather', ['face', 'order'], ['restored'], axis=3)],
        'test',
        [helper.make_tensor_value_info('face', TensorProto.UINT8, [1, 256, 256, 3])],
        [helper.make_tensor_value_info('restored', TensorProto.UINT8, [1, 256, 256, 3])],
        [numpy_helper.from_array(np.array([2, 1, 0]), 'order')],
    )
    opset = [helper.make_opsetid('', 17)]
    onnx.save(helper.make_model(graph, opset_imports=opset, ir_version=10), str(path))
    stated = {'iterative': True, 'value_range': [0, 255], 'colour': 'BGR', **card}
    path.with_suffix('.json').write_text(json.dumps(stated))
    return path


@pytest.mark.parametrize('colour', ['RGB', 'BGR'])
def test_models_of_bytes_run_as_they_are(tmp_path: Path, colour: str) -> None:
    crop = np.random.default_rng(0).integers(0, 256, (256, 256, 3), dtype=np.uint8)
    runner = CycleRunner(byte_model(tmp_path / 'bytes.onnx', colour=colour))
    (first, second), residuals = runner(crop, 2)
    np.testing.assert_array_equal(first, crop[..., ::-1])
    np.testing.assert_array_equal(second, crop)
    change = np.abs(crop.astype(float) - crop[..., ::-1]).mean() / 255
    assert residuals == pytest.approx([change, change], rel=1e-5)


def test_a_model_that_is_applied_once_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match='iterative'):
        CycleRunner(byte_model(tmp_path / 'once.onnx', iterative=False))


def test_a_face_always_gets_the_same_degradation(faces: Path) -> None:
    for name in SETS:
        first, again = CaseSet(faces, name).case(1), CaseSet(faces, name).case(1)
        np.testing.assert_array_equal(first.degraded, again.degraded)
        assert first.truth is not None
        assert first.degraded.dtype == first.truth.dtype == np.uint8
        assert not np.array_equal(first.degraded, first.truth)
    one, other = (CaseSet(faces, 'general').case(n).degraded for n in (0, 1))
    assert not np.array_equal(one, other)


def test_clean_faces_are_not_touched(faces: Path) -> None:
    case = CaseSet(faces, 'clean').case(2)
    crop = aligned(read_manifest(faces, 'test')[2])
    np.testing.assert_array_equal(case.degraded, crop)
    assert case.truth is case.degraded


def test_real_faces_come_from_their_own_list_and_have_no_truth(faces: Path, tmp_path: Path) -> None:
    real = CaseSet(faces, 'real_lq')
    assert [real.case(n).file for n in range(len(real))] == ['real0.png', 'real1.png']
    assert real.case(0).truth is None
    assert real.case(0).degraded.shape == (256, 256, 3)

    (tmp_path / 'MANIFEST.tsv').write_text((faces / 'MANIFEST.tsv').read_text())
    assert not has_real_faces(tmp_path)
    with pytest.raises(FileNotFoundError, match=r'SOURCES\.tsv'):
        CaseSet(tmp_path, 'real_lq')
    with pytest.raises(ValueError, match='unknown set'):
        CaseSet(faces, 'night')
