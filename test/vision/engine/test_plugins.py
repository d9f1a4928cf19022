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

"""Providers that are packages of their own: registered once, chosen by device, and told if not."""

from __future__ import annotations

import sys
from pathlib import Path

import onnxruntime as ort
import pytest
from onnx_models import scale_model

from cfrnet_ros.vision.engine import sessions
from cfrnet_ros.vision.engine.compiled import compiled_path, finish_compiled, keep_compiled
from cfrnet_ros.vision.engine.plugins import plugin_devices, register_plugins
from cfrnet_ros.vision.engine.provider_records import CPU, PROVIDERS, Provider, cache_folder
from cfrnet_ros.vision.engine.providers import choose_providers
from cfrnet_ros.vision.engine.sessions import create_session
from cfrnet_ros.vision.errors import ProviderError

PLUGIN = Provider('tpu', 'TpuExecutionProvider', 'TPU', '`ort-tpu`', 'int8', plugin='ort_tpu')


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Package `ort_tpu` whose library is no library."""
    folder = tmp_path / 'ort_tpu'
    folder.mkdir()
    (folder / 'library.so').write_bytes(b'no library')
    (folder / '__init__.py').write_text(
        "def get_ep_name():\n    return 'TpuExecutionProvider'\n"
        f'def get_library_path():\n    return {str(folder / "library.so")!r}\n'
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, 'ort_tpu', raising=False)
    return folder


def test_a_plugin_that_is_not_installed_is_no_fault() -> None:
    absent = Provider('x', 'XExecutionProvider', 'X', '`x`', 'int8', plugin='no_such_package')
    assert register_plugins([absent, CPU]) == {}
    assert plugin_devices(absent) == []
    assert plugin_devices(CPU) == []


def test_a_library_that_cannot_be_loaded_is_told_where_the_provider_is_asked_for(
    package: Path, tmp_path: Path
) -> None:
    known = (PLUGIN, *PROVIDERS)
    loads = hasattr(ort, 'register_execution_provider_library')
    cause = 'whose library cannot be loaded' if loads else 'which needs ONNX Runtime 1.22'
    told = f'is in ort_tpu, {cause}'
    choice = choose_providers('tpu', known=known)
    assert told in choice.broken['tpu']
    session = create_session(scale_model(tmp_path / 'm.onnx', 0.5), choice)
    assert (session.used, session.fell_back) == ('cpu', True)
    assert session.reason.startswith(f'tpu {told}')
    with pytest.raises(ProviderError, match=f'tpu {told}'):
        choose_providers('tpu', strict=True, known=known)
    # Once a process: the second request gives the same reason.
    assert register_plugins([PLUGIN]) == dict(choice.broken)


def test_the_name_of_a_compiled_model_depends_on_all_that_its_content_depends_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv('XDG_CACHE_HOME', str(tmp_path / 'cache'))
    keeps = Provider('tpu', 'T', 'TPU', '`x`', 'int8', plugin='ort_tpu', keeps_compiled=True)
    model = scale_model(tmp_path / 'm.onnx', 0.5)
    path = compiled_path(model, keeps, {'a': '1'})
    assert path is not None
    assert path.parent == cache_folder('tpu') == tmp_path / 'cache/cfrnet_ros/tpu'
    assert compiled_path(model.read_bytes(), keeps, {'a': '1'}) == path
    assert compiled_path(model, keeps, {'a': '2'}) != path
    assert compiled_path(scale_model(tmp_path / 'n.onnx', 0.6), keeps, {'a': '1'}) != path
    monkeypatch.setattr(ort, '__version__', '0.0')
    assert compiled_path(model, keeps, {'a': '1'}) != path
    assert compiled_path(model, CPU, {}) is None


def test_a_provider_that_wrote_nothing_leaves_no_file(tmp_path: Path) -> None:
    finish_compiled(tmp_path / 'part', tmp_path / 'whole')
    assert not list(tmp_path.iterdir())
    (tmp_path / 'part').write_bytes(b'blob')
    finish_compiled(tmp_path / 'part', tmp_path / 'whole')
    assert [path.name for path in tmp_path.iterdir()] == ['whole']


def test_a_failed_compilation_does_not_stand_in_the_way_of_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """ONNX Runtime refuses to write over a file that is there."""
    monkeypatch.setenv('XDG_CACHE_HOME', str(tmp_path / 'cache'))
    keeps = Provider(
        'tpu', CPU.onnx_name, 'TPU', '`x`', 'int8', plugin='ort_tpu', keeps_compiled=True
    )
    choice = choose_providers('tpu', strict=True, known=(keeps, CPU))
    model = scale_model(tmp_path / 'm.onnx', 0.5)

    def fail(source: object, settings: ort.SessionOptions, *others: object) -> None:
        part = Path(settings.get_session_config_entry('ep.context_file_path'))
        assert not part.exists()
        part.write_bytes(b'half of a blob')
        raise RuntimeError('the device has gone')

    monkeypatch.setattr(sessions, '_start', fail)
    for _ in range(2):
        with pytest.raises(ProviderError, match='the device has gone'):
            create_session(model, choice)
    assert not list(cache_folder('tpu').iterdir())
    # What a process that was killed left.
    path = compiled_path(model, keeps, {})
    assert path is not None
    part = keep_compiled(ort.SessionOptions(), path)
    part.write_bytes(b'half of a blob')
    assert keep_compiled(ort.SessionOptions(), path) == part
    assert not part.exists()
