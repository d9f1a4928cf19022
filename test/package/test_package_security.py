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

"""The package runs no code from files and reads settings and weights without executing them."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from cfrnet_ros.node.parameters import PARAMETERS

ROOT = Path(__file__).resolve().parents[2]
SHIPPED = sorted([*(ROOT / 'cfrnet_ros').rglob('*.py'), *(ROOT / 'launch').glob('*.py')])
#: Modules whose readers execute what a file says.
UNSAFE_MODULES = {'pickle', 'marshal', 'shelve', 'dill', 'joblib', 'cloudpickle', 'runpy'}
UNSAFE_CALLS = {'eval', 'exec', 'compile', '__import__', 'os.system', 'os.popen'}
#: Calls that are safe with the given keyword only.
GUARDED_CALLS = {'torch.load': 'weights_only', 'np.load': 'allow_pickle'}


def calls(tree: ast.AST) -> Iterator[tuple[str, ast.Call]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            yield ast.unparse(node.func), node


@pytest.mark.parametrize('path', SHIPPED, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_shipped_file_executes_nothing_that_it_reads(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding='utf-8'))
    imported = {
        name.partition('.')[0]
        for node in ast.walk(tree)
        if isinstance(node, ast.Import | ast.ImportFrom)
        for name in (
            [alias.name for alias in node.names]
            if isinstance(node, ast.Import)
            else [node.module or '']
        )
    }
    assert not imported & UNSAFE_MODULES
    for name, call in calls(tree):
        assert name not in UNSAFE_CALLS
        assert name not in {'yaml.load', 'yaml.unsafe_load', 'yaml.full_load'}, 'use safe_load'
        if name in GUARDED_CALLS:
            given = {word.arg: ast.unparse(word.value) for word in call.keywords}
            assert given.get(GUARDED_CALLS[name]) in {'True', 'False'}
            assert given.get('allow_pickle') != 'True'
            assert given.get('weights_only') != 'False'
        shell = [word for word in call.keywords if word.arg == 'shell']
        assert not shell, 'a shell expands what files and users name'


def test_parameters_that_name_files_libraries_or_topics_cannot_be_set_while_the_node_runs() -> None:
    static = ('model', 'detector_model', 'provider', 'provider_options', 'max_image_px', 'rep155')
    assert not [name for name in static if PARAMETERS[name].dynamic]


def test_no_parameter_that_can_be_set_while_the_node_runs_is_a_text_without_choices() -> None:
    free = {
        name
        for name, declared in PARAMETERS.items()
        if declared.dynamic and isinstance(declared.default, str) and not declared.choices
    }
    assert not free
