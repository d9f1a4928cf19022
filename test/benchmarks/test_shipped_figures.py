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

"""Figures of the shipped weights: all are of the files that ship, and others are named."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path

import pytest

from benchmarks import shipped_figures
from benchmarks.shipped_figures import FIGURES, INT8, ROOT, differing, main, measure, report
from cfrnet_ros.vision.engine.model_card import load_card
from cfrnet_ros.vision.engine.models import shipped_models

#: Histories of training, in which the weights that ship are one column among others.
HISTORIES = {'docs/weights_parts.json'}


@pytest.fixture
def stale(tmp_path: Path) -> Path:
    """Return a repository of figures in which those of groups are of other weights."""
    for figures in FIGURES:
        content = json.loads((ROOT / figures.file).read_text(encoding='utf-8'))
        if figures.file == 'docs/groups.json':
            content['model_sha256'] = '0' * 64
        path = tmp_path / figures.file
        path.parent.mkdir(exist_ok=True)
        path.write_text(json.dumps(content), encoding='utf-8')
    return tmp_path


def test_every_figure_that_pages_quote_is_of_the_models_that_ship() -> None:
    outdated = [line for line in report().splitlines() if not line.endswith(': current')]
    assert not outdated, '\n'.join(outdated)


def test_every_file_of_figures_that_names_a_shipped_model_is_watched() -> None:
    shipped = load_card(shipped_models()[INT8]).sha256
    quoting = {
        path.relative_to(ROOT).as_posix()
        for folder in ('benchmarks', 'docs')
        for path in (ROOT / folder).rglob('*.json')
        if shipped in path.read_text(encoding='utf-8')
    }
    assert quoting - HISTORIES == {figures.file for figures in FIGURES}


def test_figures_of_other_weights_are_named_with_the_command_that_measures_them(
    stale: Path,
) -> None:
    lines = [line for line in report(stale).splitlines() if not line.endswith(': current')]
    assert len(lines) == 1
    assert lines[0].startswith(f'docs/groups.json: not of the shipped {INT8}')
    assert '-m training.tools.evaluate_groups --data FACES' in lines[0]


def test_missing_figures_count_as_those_of_other_weights(tmp_path: Path) -> None:
    assert all(
        set(differing(figures, tmp_path)) == {*figures.hashes.values()} for figures in FIGURES
    )


def test_only_what_is_outdated_is_measured_and_pictures_follow(
    stale: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ran: list[str] = []

    def run(environment: str, words: list[str]) -> bool:
        ran.append(f'{environment} {" ".join(words)}')
        return False

    monkeypatch.setattr(shipped_figures, '_run', run)
    monkeypatch.setattr(shipped_figures, 'differing', lambda figures: differing(figures, stale))
    assert measure({'faces': '/data/faces', 'clips': '/data/clips', 'frames': '/data'}) == 0
    assert ran[0] == '.venv-training training.tools.evaluate_groups --data /data/faces'
    assert [line.split()[1] for line in ran[1:]] == ['demo.make_film', 'demo.make_picture']


def test_a_command_that_writes_two_files_runs_once(monkeypatch: pytest.MonkeyPatch) -> None:
    ran: list[str] = []

    def run(environment: str, words: list[str]) -> bool:
        ran.append(' '.join(words))
        return True

    monkeypatch.setattr(shipped_figures, '_run', run)
    monkeypatch.setattr(shipped_figures, 'differing', lambda figures: [INT8])
    failed = measure({'faces': '/data/faces', 'clips': '/data/clips', 'frames': '/data'})
    assert len(ran) == len(set(ran)) == failed
    assert ran[0].startswith('training.tools.evaluate ')
    both = [words for words in ran if 'blink_detection_strength.json' in words]
    assert len(both) == 1
    assert 'benchmarks/blink_detection.json' in both[0]


def test_folders_that_are_not_there_are_named(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(['--measure', '--faces', '/nowhere', '--clips', str(ROOT)])
    assert 'needs a folder for --faces, --frames' in capsys.readouterr().err


@pytest.mark.parametrize('figures', FIGURES, ids=lambda figures: figures.file)
def test_each_file_of_figures_names_a_command_that_exists(
    figures: shipped_figures.Figures,
) -> None:
    assert importlib.util.find_spec(figures.command[0]) is not None
    # No folder is left without a value.
    assert not any('{' in word for word in figures.words())
