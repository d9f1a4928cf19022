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

"""Describes the machine on which a benchmark ran, for the file with its figures."""

from __future__ import annotations

import os
import platform
from pathlib import Path
from typing import Any

import cv2
import onnxruntime


def machine() -> dict[str, Any]:
    """Return processor, cores, versions, and the load of the machine in the last minute."""
    return {
        'processor': platform.processor() or platform.machine(),
        'cores': os.cpu_count(),
        'instructions': instructions(),
        'onnxruntime': onnxruntime.__version__,
        'opencv': cv2.__version__,
        'load_average_1min': round(os.getloadavg()[0], 2),
    }


def instructions() -> str:
    """Return the instructions for networks that Linux says the processor has, such as 'AVX2'."""
    try:
        flags = set(Path('/proc/cpuinfo').read_text(encoding='utf-8').split())
    except OSError:
        return 'unknown'
    known = {'avx2': 'AVX2', 'avx512_vnni': 'AVX-512 VNNI', 'avx_vnni': 'VNNI', 'amx_int8': 'AMX'}
    return ', '.join(name for flag, name in known.items() if flag in flags) or 'none of AVX2, VNNI'
