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

"""Describes the CPU as far as 8-bit arithmetic depends on it."""

from __future__ import annotations

import platform
from functools import lru_cache
from pathlib import Path

#: Flags of the Linux kernel for instructions that add up products of bytes in 32 bits.
_DOT_PRODUCTS = {
    'avx512_vnni': 'AVX-512 VNNI',
    'avx_vnni': 'AVX-VNNI',
    'asimddp': 'dot product instructions',
}


@lru_cache
def cpu_kind(cpuinfo: Path = Path('/proc/cpuinfo')) -> str:
    """Describe the CPU's instructions for 8-bit products.

    Args:
        cpuinfo: Path of the Linux kernel's description of the CPU.

    Returns:
        Text such as 'x86_64 with AVX-512 VNNI' or 'x86_64 without VNNI'; only the architecture
        if the kernel gives no description.

    """
    machine = platform.machine()
    try:
        lines = cpuinfo.read_text(encoding='utf-8', errors='replace').splitlines()
    except OSError:
        return machine
    # The kernel calls them flags on x86 and Features on Arm.
    listed = [line.split(':', 1)[1] for line in lines if line.startswith(('flags', 'Features'))]
    if not listed:
        return machine
    found = [name for flag, name in _DOT_PRODUCTS.items() if flag in listed[0].split()]
    if found:
        return f'{machine} with {" and ".join(found)}'
    intel = machine.lower() in ('x86_64', 'amd64', 'i686')
    return f'{machine} without {"VNNI" if intel else "dot product instructions"}'
