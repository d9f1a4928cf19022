"""The params file and the README's parameter tables are what is generated from the fields."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from cfrnet_ros.node.parameters import document

ROOT = Path(__file__).resolve().parents[2]


def test_the_committed_params_file_is_the_generated_one() -> None:
    committed = (ROOT / 'config/dms.yaml').read_text(encoding='utf-8')
    assert committed == document.params_file(), f'run {document.COMMAND}'


def test_the_committed_readme_holds_the_generated_tables() -> None:
    committed = (ROOT / 'README.md').read_text(encoding='utf-8')
    assert committed == document.with_tables(committed), f'run {document.COMMAND}'
    for dynamic in (False, True):
        assert document.table(dynamic=dynamic) in committed


def test_the_command_restores_what_was_edited_by_hand(tmp_path: Path) -> None:
    (tmp_path / 'config').mkdir()
    (tmp_path / 'config/dms.yaml').write_text('/**: {}\n')
    readme = (ROOT / 'README.md').read_text(encoding='utf-8')
    (tmp_path / 'README.md').write_text(readme.replace('| `cycles` | integer | `2`', '| `k` | `7`'))
    assert document.main(['--root', str(tmp_path)]) == 0
    for name in ('README.md', 'config/dms.yaml'):
        assert (tmp_path / name).read_text() == (ROOT / name).read_text(encoding='utf-8')


def test_the_command_says_what_it_lacks_and_writes_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert document.main(['--root', str(tmp_path)]) == 1
    assert '--root must name a checkout' in capsys.readouterr().err
    shutil.copy(ROOT / 'README.md', tmp_path)
    text = (tmp_path / 'README.md').read_text()
    (tmp_path / 'README.md').write_text(text.replace('<!-- end of the static', '<!-- end of'))
    (tmp_path / 'config').mkdir()
    assert document.main(['--root', str(tmp_path)]) == 1
    assert 'lacks the line' in capsys.readouterr().err
    assert not list((tmp_path / 'config').iterdir())
