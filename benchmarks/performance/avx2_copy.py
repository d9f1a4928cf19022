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

"""Makes a copy of ONNX Runtime that uses its AVX2 kernels on a CPU with AVX-512.

`python -m benchmarks.performance.avx2_copy FOLDER` writes `FOLDER/onnxruntime` and checks which
kernels it uses. ONNX Runtime has no setting for that: it asks the CPU. Its kernels for AVX-512, and
those for VNNI among them, are used if the operating system saves the registers of AVX-512, which
the instruction `xgetbv` tells in bits 5 to 7. The copy clears these bits after each `xgetbv`. The
environment that `environment` returns makes a process use the copy, and AVX2 in OpenCV, NumPy and
OpenVINO as well.

The copy is for measurements on one's own machine. The installed package stays as it is.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

#: Instructions with which the package reads the register: `xgetbv`, then `mov eax, eax`, which only
#: repeats that the upper half is zero. `and al, 0x1f` is as long and clears bits 5 to 7.
_READ, _READ_WITHOUT = b'\x0f\x01\xd0\x89\xc0', b'\x0f\x01\xd0\x24\x1f'
#: ONNX Runtime's own look at the CPU: `and r9d, 0xe6`, to be equal to 0xe6, soon after `xgetbv`.
_OWN = re.compile(rb'\x0f\x01\xd0\xc1\xef\x1a.{16,200}?\x41\x81\xe1\xe6\x00\x00\x00', re.DOTALL)
_WITHOUT = b'\x06\x00\x00\x00'
#: Least number of places, one for each static copy of the kernels' table and one of the library
#: cpuinfo.
_LEAST_PLACES = 4

#: Variables that limit the other libraries to AVX2.
LIMITS = {
    'OPENCV_CPU_DISABLE': 'AVX512-SKX',
    'NPY_DISABLE_CPU_FEATURES': 'AVX512F AVX512CD AVX512_SKX AVX512_CLX AVX512_CNL AVX512_ICL',
    'ONEDNN_MAX_CPU_ISA': 'AVX2',
}


class CopyError(Exception):
    """The copy cannot be made, or does not use the AVX2 kernels."""


def without_avx512(library: bytes) -> bytes:
    """Change the library so that it takes the operating system not to support AVX-512.

    Args:
        library: Content of `onnxruntime_pybind11_state*.so` for x86-64.

    Returns:
        Changed content of the same length.

    Raises:
        CopyError: The places are not found, since the compiler arranged them otherwise.

    """
    places = library.count(_READ)
    own = _OWN.findall(library)
    if places < _LEAST_PLACES or len(own) != 1:
        raise CopyError(
            f'{places} and {len(own)} places that ask for AVX-512 were found instead of'
            f' {_LEAST_PLACES} or more and 1; this build of ONNX Runtime is arranged otherwise, so'
            ' measure with onnxruntime 1.31.1'
        )
    changed = library.replace(_READ, _READ_WITHOUT)
    return changed.replace(own[0], own[0][: -len(_WITHOUT)] + _WITHOUT)


def make_copy(folder: Path) -> Path:
    """Copy the installed ONNX Runtime into a folder, change it and check its kernels.

    Args:
        folder: Folder to be put in front of PYTHONPATH; a copy that is there is replaced.

    Returns:
        Folder of the copied package.

    Raises:
        CopyError: The package is not for x86-64, or the copy does not use the AVX2 kernels.

    """
    found = find_spec('onnxruntime')
    if found is None or not found.submodule_search_locations:
        raise CopyError('onnxruntime is not installed; run `make venv`')
    source, target = Path(found.submodule_search_locations[0]), folder / 'onnxruntime'
    if source.resolve() == target.resolve():
        raise CopyError(f'{target} is what Python imports; unset PYTHONPATH')
    if target.exists():
        shutil.rmtree(target)
    # The tools beside the library are not needed, and the library for C is as large as the one for
    # Python.
    unused = shutil.ignore_patterns(
        '__pycache__', 'libonnxruntime.so*', 'datasets', 'transformers', 'tools'
    )
    shutil.copytree(source, target, ignore=unused)
    libraries = list((target / 'capi').glob('onnxruntime_pybind11_state*.so'))
    if len(libraries) != 1:
        raise CopyError(f'{source} has {len(libraries)} libraries for Python instead of 1')
    libraries[0].write_bytes(without_avx512(libraries[0].read_bytes()))
    kernels = kernels_with(environment(folder))
    if kernels != AVX2_KERNELS:
        raise CopyError(f'the copy does not use the AVX2 kernels: {kernels}')
    return target


def changes(folder: Path) -> dict[str, str]:
    """Return the environment variables that make a process use the copy in a folder, and AVX2."""
    before = filter(None, [os.environ.get('PYTHONPATH')])
    return {**LIMITS, 'PYTHONPATH': os.pathsep.join([str(folder.resolve()), *before])}


def environment(folder: Path | None) -> dict[str, str]:
    """Return the environment of a process that uses the copy in a folder; None for the package."""
    variables = {name: value for name, value in os.environ.items() if name not in LIMITS}
    variables['ORT_DISABLE_TELEMETRY'] = '1'
    return variables if folder is None else {**variables, **changes(folder)}


#: What `kernels` finds where AVX2 without VNNI is used.
AVX2_KERNELS = {'float_block': 8, 'int8_saturates': True}


def kernels() -> dict[str, int | bool]:
    """Find out by their results which kernels of ONNX Runtime this process uses.

    Returns:
        `float_block`: number of channels that a float kernel computes together, 8 with AVX2 and 16
        with AVX-512, as the saved graph shows. `int8_saturates`: whether sums of two 8-bit products
        end at 32767, as with AVX2 (`vpmaddubsw`) and not with VNNI (`vpdpbusd`).

    """
    import tempfile

    import numpy as np
    import onnx
    import onnxruntime as ort

    from benchmarks.performance.roof import convolution

    options = ort.SessionOptions()
    options.log_severity_level = 3
    with tempfile.TemporaryDirectory() as folder:
        options.optimized_model_filepath = str(Path(folder) / 'optimized.onnx')
        ort.InferenceSession(convolution(8, 16, False), options, ['CPUExecutionProvider'])
        graph = onnx.load(options.optimized_model_filepath).graph
    blocks = {tensor.dims[0] for tensor in graph.initializer if len(tensor.dims) == 4}
    # Activations and weights of the largest values: 2 * 255 * 127 is beyond 16 bits.
    product = _product_model()
    session = ort.InferenceSession(product, providers=['CPUExecutionProvider'])
    found = session.run(None, {'x': np.full((8, 64), 255, np.uint8)})[0]
    return {'float_block': max(blocks), 'int8_saturates': bool(found[0, 0] != 64 * 255 * 127)}


def _product_model() -> bytes:
    """Return an ONNX model of a matrix product with 8-bit weights of 127."""
    import numpy as np
    from onnx import TensorProto, helper, numpy_helper

    graph = helper.make_graph(
        [helper.make_node('MatMulInteger', ['x', 'w'], ['y'])],
        'product',
        [helper.make_tensor_value_info('x', TensorProto.UINT8, [8, 64])],
        [helper.make_tensor_value_info('y', TensorProto.INT32, [8, 64])],
        [numpy_helper.from_array(np.full((64, 64), 127, np.int8), 'w')],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid('', 17)], ir_version=8)
    return bytes(model.SerializeToString())


def kernels_with(variables: dict[str, str]) -> dict[str, int | bool]:
    """Return what `kernels` finds in a process with these environment variables.

    Raises:
        CopyError: The process failed, for instance because the copy cannot be loaded.

    """
    code = (
        'import json; from benchmarks.performance.avx2_copy import kernels;'
        ' print(json.dumps(kernels()))'
    )
    root = Path(__file__).resolve().parents[2]
    done = subprocess.run(
        [sys.executable, '-c', code], env=variables, cwd=root, capture_output=True, text=True
    )
    if done.returncode:
        raise CopyError(f'ONNX Runtime cannot be used: {done.stderr.strip()[-500:]}')
    return dict(json.loads(done.stdout.splitlines()[-1]))


def main() -> int:
    """Run from the command line; returns the exit code."""
    parser = argparse.ArgumentParser(description=(__doc__ or '').splitlines()[0])
    parser.add_argument('folder', type=Path, help='folder for the copy')
    folder = parser.parse_args().folder
    try:
        before = kernels_with(environment(None))
        made = make_copy(folder)
    except CopyError as error:
        print(error, file=sys.stderr)
        return 1
    print(f'{made} uses AVX2 kernels: {AVX2_KERNELS}; the installed package: {before}')
    print('To use it:')
    print(f'  export PYTHONPATH={folder.resolve()}')
    for name, value in LIMITS.items():
        print(f"  export {name}='{value}'")
    return 0


if __name__ == '__main__':
    sys.exit(main())
