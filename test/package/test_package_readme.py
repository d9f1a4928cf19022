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

"""The params file and the tables of the pages equal what is generated from the declarations."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from cfrnet_ros.node.parameters import document

ROOT = Path(__file__).resolve().parents[2]
PAGES = tuple(document.page_tables())
FILES = (document.PARAMS_FILE, *PAGES)


def test_the_committed_params_file_is_the_generated_one() -> None:
    committed = (ROOT / document.PARAMS_FILE).read_text(encoding='utf-8')
    assert committed == document.params_file(), f'run {document.COMMAND}'


@pytest.mark.parametrize('page', PAGES, ids=str)
def test_the_committed_page_holds_the_generated_tables(page: Path) -> None:
    committed = (ROOT / page).read_text(encoding='utf-8')
    assert committed == document.with_tables(committed, page), f'run {document.COMMAND}'
    for table in document.page_tables()[page].values():
        assert table in committed


def test_the_command_reverts_manual_edits(tmp_path: Path) -> None:
    for folder in ('config', 'docs'):
        (tmp_path / folder).mkdir()
    (tmp_path / document.PARAMS_FILE).write_text('/**: {}\n')
    for file, row, typed in (
        (document.PAGE, '| `cycles` | integer | `2`', '| `k` | `7`'),
        (document.HARDWARE_PAGE, '| `cuda` | NVIDIA |', '| `cuda` | any |'),
    ):
        page = (ROOT / file).read_text(encoding='utf-8')
        assert row in page
        (tmp_path / file).write_text(page.replace(row, typed))
    assert document.main(['--root', str(tmp_path)]) == 0
    for file in FILES:
        assert (tmp_path / file).read_text() == (ROOT / file).read_text(encoding='utf-8')


def test_the_command_names_what_is_missing_and_writes_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert document.main(['--root', str(tmp_path)]) == 1
    assert '--root must name a checkout' in capsys.readouterr().err
    for folder in ('config', 'docs'):
        (tmp_path / folder).mkdir()
    for page in PAGES:
        shutil.copy(ROOT / page, tmp_path / page)
    text = (tmp_path / document.PAGE).read_text()
    (tmp_path / document.PAGE).write_text(text.replace('<!-- end of the static', '<!-- end of'))
    assert document.main(['--root', str(tmp_path)]) == 1
    assert f'{document.PAGE} lacks the line' in capsys.readouterr().err
    assert not (tmp_path / document.PARAMS_FILE).exists()


def test_the_readme_has_fewer_than_200_lines() -> None:
    lines = (ROOT / 'README.md').read_text(encoding='utf-8').splitlines()
    assert 50 < len(lines) < 200
