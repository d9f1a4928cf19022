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

"""Filmed portraits: what is written for training, and what is told of a camera."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

pytest.importorskip('torch', reason='these benchmarks need PyTorch: make test-training')

from faces_folder import write_faces
from pictures import warped
from skimage.data import astronaut
from videos import make_video

from benchmarks import filmed_faces, fusion_portraits
from training.experiments.responses.filmed_faces import read_filmed_faces


@pytest.fixture(scope='module')
def folders(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Return a folder of faces and one with a clip of a moving face."""
    faces = write_faces(tmp_path_factory.mktemp('faces'))
    clips = tmp_path_factory.mktemp('clips')
    photo = np.ascontiguousarray(astronaut()[..., ::-1])
    frames = [
        warped(photo, np.array([[0.6, 0.0, 0.5 * n], [0.0, 0.6, 40.0]]), 320, 320)
        for n in range(fusion_portraits.FRAMES)
    ]
    make_video(clips / 'moves.mp4', frames)
    return faces, clips


def run(monkeypatch: pytest.MonkeyPatch, command: object, *arguments: object) -> None:
    monkeypatch.setattr(sys, 'argv', ['command', *(str(a) for a in arguments)])
    command.main()  # type: ignore[attr-defined]


def test_fused_crops_and_sharper_truths_of_training_portraits_are_written(
    folders: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    faces, clips = folders
    exclude, out = tmp_path / 'exclude.txt', tmp_path / 'filmed.npz'
    exclude.write_text('train0.png\n', encoding='utf-8')
    options = ('--faces', faces, '--clips', clips, '--exclude', exclude, '--out', out)
    run(monkeypatch, filmed_faces, *options, '--number', 1)
    [(fused, truth)] = read_filmed_faces(out)
    assert fused.shape == truth.shape == (1, 3, 256, 256)
    pictures = [image[0].mean(0).numpy() for image in (fused, truth)]
    # They show the same face, and the truth more of it.
    assert np.corrcoef(pictures[0].ravel(), pictures[1].ravel())[0, 1] > 0.9
    soft, sharp = (float(cv2.Laplacian(one, cv2.CV_32F).std()) for one in pictures)
    assert sharp > 1.3 * soft
    # One of six is left out.
    with pytest.raises(SystemExit, match='there are 5 portraits'):
        run(monkeypatch, filmed_faces, *options, '--number', 6)


def test_a_camera_is_told_by_what_restoration_adds_to_or_takes_from_the_person(
    folders: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    faces, clips = folders
    out = tmp_path / 'portraits.json'
    run(
        monkeypatch, fusion_portraits, '--faces', faces, '--clips', clips, '--out', out,
        '--cameras', 'noise', '--portraits', 2,
    )  # fmt: skip
    result = json.loads(out.read_text(encoding='utf-8'))
    found = result['cameras']['noise']
    versions = found['versions']
    # Fusion brings the person nearer, and restoration the texture.
    assert versions['fused'][0] < versions['camera'][0]
    assert versions['k = 2'][2] < versions['fused'][2] < versions['camera'][2]
    assert found['further']['value'] == pytest.approx(
        versions['k = 2'][0] - versions['fused'][0], abs=1e-3
    )
    assert (found['people'], found['faces']) == (2, 2 * len(fusion_portraits.MEASURED))
    low, high = found['further']['ci95']
    assert low <= found['further']['value'] <= high
    assert f'| noise | 4 | {found["further"]["value"]:+.1f}' in fusion_portraits.tables(result)
