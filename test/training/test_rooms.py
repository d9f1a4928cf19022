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

"""The rooms of training: what starts a command, and what imports what."""

from __future__ import annotations

import ast
import runpy
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
TRAINING = ROOT / 'training'

LIBRARIES = (
    'critics', 'data', 'degradation', 'evaluation', 'export', 'eyes', 'losses', 'metrics',
    'networks',
)  # fmt: skip
#: Modules of `run` that a library may import: what configs and checkpoints hold.
FILES_OF_RUNS = {'training.run.checkpoint', 'training.run.config'}


def module(path: Path) -> str:
    return '.'.join(path.relative_to(ROOT).with_suffix('').parts)


COMMANDS = sorted(
    module(path)
    for room in ('run', 'experiments', 'tools')
    for path in (TRAINING / room).glob('*.py')
    if 'argparse' in path.read_text(encoding='utf-8')
)


def imported(path: Path) -> set[str]:
    """Return the modules of training that a file imports, those in functions as well."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding='utf-8'))):
        if isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module)
            found |= {f'{node.module}.{name.name}' for name in node.names}
        elif isinstance(node, ast.Import):
            found |= {name.name for name in node.names}
    return {name for name in found if name.startswith('training.')}


@pytest.mark.parametrize('command', COMMANDS)
def test_a_command_says_what_it_takes(
    command: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, 'argv', [command, '--help'])
    # As a script, so that one that defines main() and never calls it is found out.
    script = ROOT / Path(*command.split('.')).with_suffix('.py')
    with pytest.raises(SystemExit) as ended:
        runpy.run_path(str(script), run_name='__main__')
    assert ended.value.code == 0
    told = capsys.readouterr().out
    assert 'usage:' in told
    assert f'python -m {command}' in ' '.join(told.split())


def test_libraries_hold_no_commands() -> None:
    assert len(COMMANDS) > 10
    for room in LIBRARIES:
        for path in (TRAINING / room).rglob('*.py'):
            assert '__main__' not in path.read_text(encoding='utf-8'), path
    assert not list(TRAINING.rglob('__main__.py'))


def test_nothing_is_imported_from_a_command() -> None:
    for path in TRAINING.rglob('*.py'):
        assert not imported(path) & set(COMMANDS), path


@pytest.mark.parametrize('room', LIBRARIES)
def test_libraries_know_no_run_beyond_its_files(room: str) -> None:
    users = ('training.run', 'training.experiments', 'training.tools')
    for path in (TRAINING / room).rglob('*.py'):
        above = {name for name in imported(path) if name.startswith(users)}
        files = {name for name in above if name.startswith(tuple(FILES_OF_RUNS))}
        assert above == files, path


def test_data_and_metrics_stand_below_the_other_libraries() -> None:
    for room, allowed in (
        ('data', ('data',)),
        ('networks', ('networks',)),
        ('degradation', ('data', 'degradation')),
        ('critics', ('critics', 'data')),
        ('metrics', ('critics', 'data', 'metrics')),
        ('losses', ('critics', 'data', 'degradation', 'losses')),
    ):
        for path in (TRAINING / room).rglob('*.py'):
            others = {name.split('.')[1] for name in imported(path)} - set(allowed)
            assert not others, path


def test_a_config_is_read_without_pytorch() -> None:
    code = (
        'import sys, pathlib\n'
        'from training.run.config import load_config\n'
        'load_config(pathlib.Path("training/configs/cfrnet.yaml"))\n'
        'sys.exit("torch" in sys.modules)\n'
    )
    subprocess.run([sys.executable, '-c', code], cwd=ROOT, check=True)
