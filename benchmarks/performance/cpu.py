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

"""Describes the CPU by what the speed of the networks depends on."""

from __future__ import annotations

import os
import platform
from pathlib import Path
from typing import Any

import cv2
import onnxruntime

#: Flags of the Linux kernel, and what they are called.
FEATURES = {
    'avx2': 'AVX2',
    'avx512f': 'AVX-512',
    'avx512_vnni': 'AVX-512 VNNI',
    'avx_vnni': 'AVX-VNNI',
    'avx512_bf16': 'AVX-512 BF16',
    'amx_int8': 'AMX INT8',
    'amx_bf16': 'AMX BF16',
    'asimd': 'NEON',
    'asimddp': 'dot product',
    'i8mm': 'I8MM',
}
_DOT_PRODUCTS = {'avx512_vnni', 'avx_vnni', 'asimddp'}


def describe_cpu(cpuinfo: Path = Path('/proc/cpuinfo')) -> dict[str, Any]:
    """Describe the machine.

    Args:
        cpuinfo: The Linux kernel's description of the CPU.

    Returns:
        `model`, `cores` (that this process may use), `features` (names out of `FEATURES`), `kind`
        (word for the file of the results, such as 'x86_64_vnni') and the versions of the engines.

    """
    pairs = [line.partition(':') for line in cpuinfo.read_text(encoding='utf-8').splitlines()]
    found = {key.strip(): value.strip() for key, _, value in reversed(pairs)}
    flags = set((found.get('flags') or found.get('Features') or '').split())
    features = [name for flag, name in FEATURES.items() if flag in flags]
    dots = bool(flags & _DOT_PRODUCTS)
    machine = platform.machine()
    ending = ('vnni' if dots else 'avx2') if machine == 'x86_64' else ('dot' if dots else 'plain')
    return {
        'model': found.get('model name', machine),
        'cores': len(os.sched_getaffinity(0)),
        'features': features,
        'kind': f'{machine}_{ending}',
        'python': platform.python_version(),
        'onnxruntime': onnxruntime.__version__,
        'opencv': cv2.__version__,
    }
