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

"""Training faces: augmented, aligned like the node's crops, and never of the people tested on."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip('torch', reason='training needs PyTorch: make test-training')

from cfrnet_ros.vision.preprocessing.align import (  # noqa: E402
    DEFAULT_TEMPLATE,
    similarity_transform,
    warp_crop,
)
from training.critics.eye_openness import EyeOpennessCritic  # noqa: E402
from training.data.augmentation import Augmentation  # noqa: E402
from training.data.crops import SIZE, aligned, to_tensor  # noqa: E402
from training.data.images import load_image  # noqa: E402
from training.data.lids import draw_lids, outlines_of  # noqa: E402
from training.data.manifest import read_manifest  # noqa: E402
from training.data.pose import turned_grid  # noqa: E402
from training.data.training_faces import TrainingFaces  # noqa: E402
from training.metrics import psnr  # noqa: E402


def test_a_draw_shows_the_aligned_face_with_a_small_jitter(faces: Path) -> None:
    source = TrainingFaces(faces)
    drawn, maps = source.draw(np.random.default_rng(0), [0, 1, 2, 3, 4, 5], 256)
    assert drawn.shape == (6, 3, 256, 256)
    assert maps.shape == (6, 1, 256, 256)
    assert float(drawn.min()) >= 0.0
    assert float(drawn.max()) <= 1.0
    for face, record in zip(drawn, source.records, strict=True):
        truth = to_tensor(aligned(record))
        # Compared coarsely: the jitter is a few pixels, half of the draws are mirrored.
        small = torch.nn.functional.avg_pool2d(torch.stack([face, face.flip(-1)]), 16)
        likeness = psnr(small, torch.nn.functional.avg_pool2d(truth, 16).expand_as(small))
        assert float(likeness.max()) > 14.0


def test_without_jitter_a_draw_equals_the_node_s_alignment(
    faces: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = TrainingFaces(faces)

    class Still:
        """Draws nothing: no angle, no shift, no mirroring, no recolouring, first window."""

        def normal(self, mean: float, _scale: float, size: object = None) -> object:
            return np.full(np.asarray(size), mean) if size is not None else mean

        def random(self, size: object = None) -> object:
            # Above one half: not mirrored. Below: not recoloured.
            return np.zeros(np.asarray(size)) if size is not None else 0.9

        def integers(self, _low: int, _high: int, size: int) -> object:
            return np.zeros(size, int)

    drawn, _ = source.draw(Still(), [0], 256)  # type: ignore[arg-type]
    # OpenCV interpolates with 5 bits of a pixel, PyTorch in float.
    assert float(psnr(drawn, to_tensor(aligned(source.records[0])))) > 40.0


def test_a_window_is_a_part_of_the_whole_crop(faces: Path) -> None:
    source = TrainingFaces(faces)
    window, components = source.draw(np.random.default_rng(4), [2], 128)
    assert window.shape == (1, 3, 128, 128)
    assert components.shape == (1, 1, 128, 128)


def test_listed_images_are_left_out(faces: Path, tmp_path: Path) -> None:
    listed = tmp_path / 'list.txt'
    listed.write_text('# look like somebody else\ntrain1.png\ntrain4.png\n')
    names = {r.path.name for r in TrainingFaces(faces, exclude=listed).records}
    assert names == {'train0.png', 'train2.png', 'train3.png', 'train5.png'}
    with pytest.raises(FileNotFoundError, match='leave out'):
        TrainingFaces(faces, exclude=tmp_path / 'absent.txt')


def test_weights_of_faces_go_by_the_first_pattern_that_matches(faces: Path) -> None:
    source = TrainingFaces(faces)
    assert source.chances({}) is None
    chances = source.chances({'train0*': 3.0, 'train*': 0.5})
    assert chances is not None
    assert chances.sum() == pytest.approx(1.0)
    assert chances[0] == pytest.approx(6.0 * chances[1])
    for weights, wrong in (
        ({'nobody*': 2.0}, 'no training face'),
        ({'train*': -1.0}, 'negative'),
        ({'train*': 0.0}, 'leave no'),
    ):
        with pytest.raises(ValueError, match=wrong):
            source.chances(weights)


@pytest.mark.parametrize('kind', ['pose', 'shadow', 'glint', 'hand'])
def test_each_augmentation_changes_every_face_and_keeps_the_range(faces: Path, kind: str) -> None:
    source, indices = TrainingFaces(faces), [0, 1, 2, 3]
    drawn, maps = source.draw(np.random.default_rng(3), indices, 192, Augmentation(**{kind: 1.0}))
    again, _ = source.draw(np.random.default_rng(3), indices, 192, Augmentation(**{kind: 1.0}))
    assert torch.equal(drawn, again)
    assert drawn.shape == (4, 3, 192, 192)
    assert maps.shape == (4, 1, 192, 192)
    assert 0.0 <= float(drawn.min()) <= float(drawn.max()) <= 1.0
    if kind != 'pose':
        # Drawn after the window, so the plain faces are the same but for what was drawn.
        plain, _ = source.draw(np.random.default_rng(3), indices, 192)
        assert all(float((a - b).abs().mean()) > 1e-4 for a, b in zip(drawn, plain))


def test_lids_are_drawn_down_and_nothing_else_changes(faces: Path) -> None:
    pytest.importorskip('ai_edge_litert', reason='eyes are found by a LiteRT network')
    source, indices = TrainingFaces(faces), [0, 1, 2, 3, 4, 5]
    drawn, _ = source.draw(np.random.default_rng(3), indices, 256, Augmentation(lids=1.0))
    again, _ = source.draw(np.random.default_rng(3), indices, 256, Augmentation(lids=1.0))
    assert torch.equal(drawn, again)
    records = read_manifest(faces, 'train')
    was = np.stack([load_image(r.path) for r in records])
    lidded = source._lidded.permute(0, 2, 3, 1).numpy()[..., ::-1]
    changed = (was != lidded).any(axis=3)
    assert changed.any(axis=(1, 2)).all()
    # The astronaut's eyes, in pixels of the image.
    rows, columns = np.nonzero(changed.any(axis=0))
    assert 65 < rows.min() < rows.max() < 95
    assert 55 < columns.min() < columns.max() < 145
    critic = EyeOpennessCritic()
    open_as, shut = (
        critic(torch.cat([to_tensor(warp_crop(i, affine, SIZE)) for i in images]))
        for images in (was, np.ascontiguousarray(lidded))
        for affine in [similarity_transform(records[0].landmarks, SIZE, DEFAULT_TEMPLATE)]
    )
    assert float(shut.mean()) < 0.75 * float(open_as.mean())


def test_an_eye_at_the_border_stays_open() -> None:
    picture = np.random.default_rng(1).integers(0, 256, (120, 120, 3)).astype(np.uint8)
    turn = np.linspace(np.pi, -np.pi, 16, endpoint=False)
    # From the outer corner along the lower lid, as the outlines of MediaPipe go.
    eye = np.stack([15 * np.cos(turn), 5 * np.sin(turn)], axis=1)
    closures, rng = np.ones(2), np.random.default_rng(2)
    for beyond in ((8.0, 60.0), (60.0, 3.0), (118.0, 60.0), (60.0, 140.0)):
        outlines = eye + np.array([(50.0, 60.0), beyond])[:, None]
        drawn = draw_lids(picture, outlines, closures, rng)
        changed = (drawn != picture).any(axis=2)
        assert changed[45:75, 30:70].any()
        changed[40:80, 25:75] = False
        assert not changed.any()


def test_eyes_found_elsewhere_are_read_and_those_of_other_faces_refused(
    faces: Path, tmp_path: Path
) -> None:
    records = read_manifest(faces, 'train')
    outlines = np.arange(6 * 64, dtype=np.float32).reshape(6, 2, 16, 2)
    names = np.array([r.path.name for r in records])
    np.savez(tmp_path / 'eyes.npz', names=names[::-1], outlines=outlines[::-1])
    assert np.array_equal(outlines_of(tmp_path, records), outlines)
    np.savez(tmp_path / 'eyes.npz', names=names[:4], outlines=outlines[:4])
    with pytest.raises(ValueError, match=r'eyes\.npz.*train4\.png and 1 more; delete it'):
        outlines_of(tmp_path, records)


def test_a_turned_head_keeps_its_landmarks_in_place_and_moves_its_cheeks() -> None:
    step = 4
    straight = turned_grid(0.0, 0.0, step)
    ys, xs = np.mgrid[0:257:step, 0:257:step]
    np.testing.assert_allclose(straight, np.stack([xs, ys], axis=2), atol=0.05)
    turned = turned_grid(0.35, 0.0, step)
    moved = np.hypot(*np.moveaxis(turned - straight, 2, 0))
    columns, rows = (np.round(DEFAULT_TEMPLATE.T * 256 / step)).astype(int)
    # The five points cannot all stay under a similarity, but they stay near.
    assert moved[rows, columns].max() < 16.0
    left, right = turned[33, 12, 0] - straight[33, 12, 0], turned[33, 52, 0] - straight[33, 52, 0]
    assert abs(left - right) > 5.0
    # Nothing folds: neighbours keep their order.
    assert (np.diff(turned[..., 0], axis=1) > 0).all()
    assert (np.diff(turned[..., 1], axis=0) > 0).all()
