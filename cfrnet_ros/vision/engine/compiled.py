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

"""Keeps what a provider has compiled for its device, so that the next start is quick.

The compiled model is ONNX Runtime's *EP context* model: an ONNX file whose operators are one blob
for the device. Source: https://onnxruntime.ai/docs/execution-providers/EP-Context-Design.html
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib.metadata
import json
import os
from collections.abc import Mapping
from pathlib import Path

import onnxruntime as ort

from cfrnet_ros.vision.engine.provider_records import Provider, cache_folder


def compiled_path(
    model: str | Path | bytes, provider: Provider, options: Mapping[str, str]
) -> Path | None:
    """Return where the compiled form of a model is kept.

    Args:
        model: Path of an ONNX file, or its bytes.
        provider: Provider that compiles.
        options: Options of the provider.

    Returns:
        Path that depends on everything that the result depends on; None for a provider without
        such a form, and where the folder cannot be written.

    """
    if not provider.keeps_compiled:
        return None
    folder = cache_folder(provider.name)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        content = model if isinstance(model, bytes) else Path(model).read_bytes()
    except OSError:
        return None
    if not os.access(folder, os.W_OK):
        return None
    about = {'options': dict(options), 'onnxruntime': ort.__version__, 'plugin': _version(provider)}
    digest = hashlib.sha256(content + json.dumps(about, sort_keys=True).encode())
    return folder / f'{digest.hexdigest()[:32]}.onnx'


def keep_compiled(settings: ort.SessionOptions, path: Path) -> Path:
    """Ask a session that is about to be created to write its compiled model.

    Args:
        settings: Options of the session.
        path: Where the model will be kept.

    Returns:
        Temporary path that the session writes; `finish_compiled` gives it its name.

    """
    part = path.with_name(f'{path.stem}.{os.getpid()}.part.onnx')
    # ONNX Runtime refuses to write over what a process that was killed left. In a container the
    # next process may have the same number.
    part.unlink(missing_ok=True)
    settings.add_session_config_entry('ep.context_enable', '1')
    settings.add_session_config_entry('ep.context_embed_mode', '1')
    settings.add_session_config_entry('ep.context_file_path', str(part))
    return part


def finish_compiled(part: Path, path: Path) -> None:
    """Give a compiled model its name, if the provider has written one."""
    with contextlib.suppress(OSError):
        part.replace(path)


def _version(provider: Provider) -> str:
    try:
        return importlib.metadata.version(provider.plugin.replace('_', '-'))
    except importlib.metadata.PackageNotFoundError:
        return ''
