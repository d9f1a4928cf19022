"""The params file and the page of parameters equal what is generated from the declarations."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from cfrnet_ros.node.parameters import document

ROOT = Path(__file__).resolve().parents[2]


def test_the_committed_params_file_is_the_generated_one() -> None:
    committed = (ROOT / document.PARAMS_FILE).read_text(encoding='utf-8')
    assert committed == document.params_file(), f'run {document.COMMAND}'


def test_the_committed_page_holds_the_generated_tables() -> None:
    committed = (ROOT / document.PAGE).read_text(encoding='utf-8')
    assert committed == document.with_tables(committed), f'run {document.COMMAND}'
    for dynamic in (False, True):
        assert document.table(dynamic=dynamic) in committed


def test_the_command_reverts_manual_edits(tmp_path: Path) -> None:
    for file in (document.PARAMS_FILE, document.PAGE):
        (tmp_path / file).parent.mkdir()
    (tmp_path / document.PARAMS_FILE).write_text('/**: {}\n')
    page = (ROOT / document.PAGE).read_text(encoding='utf-8')
    edited = page.replace('| `cycles` | integer | `2`', '| `k` | `7`')
    assert edited != page
    (tmp_path / document.PAGE).write_text(edited)
    assert document.main(['--root', str(tmp_path)]) == 0
    for file in (document.PARAMS_FILE, document.PAGE):
        assert (tmp_path / file).read_text() == (ROOT / file).read_text(encoding='utf-8')


def test_the_command_names_what_is_missing_and_writes_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert document.main(['--root', str(tmp_path)]) == 1
    assert '--root must name a checkout' in capsys.readouterr().err
    for file in (document.PARAMS_FILE, document.PAGE):
        (tmp_path / file).parent.mkdir()
    shutil.copy(ROOT / document.PAGE, tmp_path / document.PAGE)
    text = (tmp_path / document.PAGE).read_text()
    (tmp_path / document.PAGE).write_text(text.replace('<!-- end of the static', '<!-- end of'))
    assert document.main(['--root', str(tmp_path)]) == 1
    assert f'{document.PAGE} lacks the line' in capsys.readouterr().err
    assert not (tmp_path / document.PARAMS_FILE).exists()


def test_the_readme_has_fewer_than_200_lines() -> None:
    lines = (ROOT / 'README.md').read_text(encoding='utf-8').splitlines()
    assert 50 < len(lines) < 200
