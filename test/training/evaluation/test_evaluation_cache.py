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

"""The name of a measured chunk: what a figure depends on changes it, nothing else does."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

torch = pytest.importorskip('torch', reason='training needs PyTorch: make test-training')

from training.evaluation import cache  # noqa: E402
from training.evaluation.cases import CaseSet  # noqa: E402
from training.evaluation.imports import project_files  # noqa: E402
from training.evaluation.protocol import MAIN, SEED  # noqa: E402
from training.evaluation.work import QUALITY, result_path  # noqa: E402

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """Return a copy of the project's Python files."""
    for package in ('training', 'cfrnet_ros'):
        for path in (ROOT / package).rglob('*.py'):
            copy = tmp_path / 'project' / path.relative_to(ROOT)
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(path, copy)
    return tmp_path / 'project'


def touch(path: Path) -> None:
    path.write_text(path.read_text(encoding='utf-8') + '\n# Changed.\n', encoding='utf-8')


def test_every_imported_file_of_the_project_decides_what_a_figure_is(project: Path) -> None:
    before = cache.code_sha256(project)
    assert before == cache.code_sha256(ROOT)
    files = project_files(cache.MEASURING, project)
    measuring = {file.relative_to(project).as_posix() for file in files}
    # Of both packages, packages' own files among them.
    assert 'training/evaluation/runner.py' in measuring
    assert 'training/metrics/__init__.py' in measuring
    for name in ('align', 'exposure', 'grey', 'detector', 'yunet_decode', 'providers'):
        assert any(file.startswith('cfrnet_ros/') and Path(file).stem == name for file in measuring)
    for file in files:
        content = file.read_bytes()
        touch(file)
        assert cache.code_sha256(project) != before, file
        file.write_bytes(content)
    assert cache.code_sha256(project) == before


def test_a_file_that_is_not_imported_changes_nothing(project: Path) -> None:
    before = cache.code_sha256(project)
    imported = set(project_files(cache.MEASURING, project))
    others = [path for path in project.rglob('*.py') if path not in imported]
    assert project / 'training' / 'run' / 'train.py' in others
    for path in others:
        touch(path)
    (project / 'training' / 'metrics' / 'new.py').write_text('')
    assert cache.code_sha256(project) == before


def test_imports_inside_functions_and_relative_ones_are_followed(tmp_path: Path) -> None:
    package = tmp_path / 'training'
    package.mkdir()
    (package / '__init__.py').write_text('')
    (package / 'first.py').write_text('import json\ndef f():\n    from training import second\n')
    (package / 'second.py').write_text('from . import third\nfrom .third import VALUE\n')
    (package / 'third.py').write_text('VALUE = 1\n')
    (package / 'fourth.py').write_text('')
    found = [path.name for path in project_files('training.first', tmp_path)]
    assert found == ['__init__.py', 'first.py', 'second.py', 'third.py']


def test_a_missing_file_is_named_with_who_imports_it(project: Path) -> None:
    (project / 'training' / 'evaluation' / 'runner.py').unlink()
    with pytest.raises(FileNotFoundError, match=r'runner \(imported by training\.evaluation\.work'):
        cache.code_sha256(project)
    with pytest.raises(FileNotFoundError, match=r"'training\.nowhere' has no file"):
        project_files('training.nowhere', ROOT)


def test_seed_images_code_and_weights_of_metrics_each_give_another_chunk(
    faces: Path, tmp_path: Path
) -> None:
    def path(data: Path, seed: int = SEED, code: str = 'c', lpips: str = 'l') -> Path:
        cases = CaseSet(data, 'car', seed)
        model, weights = Path('m.onnx'), {'lpips': lpips}
        return result_path(tmp_path, QUALITY, model, 'a', cases, (0,), 6, MAIN, code, weights)

    again = tmp_path / 'faces'
    shutil.copytree(faces, again)
    assert path(faces) == path(again)
    others = [path(faces, seed=SEED + 1), path(faces, code='d'), path(faces, lpips='k')]
    image = CaseSet(again, 'car').records[0].path
    image.write_bytes((again / 'train' / 'train1.png').read_bytes())
    others.append(path(again))
    assert len({path(faces), *others}) == 5


def test_another_seed_degrades_otherwise(faces: Path) -> None:
    first, other = (CaseSet(faces, 'car', seed).case(0).degraded for seed in (SEED, SEED + 1))
    assert (first != other).any()
