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

"""In which precision a run computes: bfloat16 where the processor has instructions for it.

On a CPU without them PyTorch emulates bfloat16: a step of 15.6 s instead of 3.2 s in float32.
PyTorch is imported where it is called, so that a config, which names a precision, is read without.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

#: What a config may ask for.
CHOICES = ('auto', 'bfloat16', 'float32')

#: Names of instruction sets that compute in bfloat16: x86 (AVX-512, AMX) and Arm, as Linux and
#: `torch.cpu.get_capabilities` spell them.
BFLOAT16_FLAGS = ('avx512_bf16', 'amx_bf16', 'bf16')


@dataclass(frozen=True)
class Precision:
    """A precision, and why it was chosen.

    Attributes:
        bfloat16: Whether networks run under autocast to bfloat16; float32 otherwise.
        reason: Reason as the end of a sentence, for logs.

    """

    bfloat16: bool
    reason: str

    def __str__(self) -> str:
        """Return what a log says of it."""
        return f'{"bfloat16" if self.bfloat16 else "float32"}, {self.reason}'

    def autocast(self, device: torch.device) -> torch.autocast:
        """Return the context in which networks are to run."""
        import torch

        return torch.autocast(device.type, dtype=torch.bfloat16, enabled=self.bfloat16)


def check_precision(wanted: str) -> None:
    """Refuse a precision that no run can compute in.

    Raises:
        ValueError: `wanted` is not one of `CHOICES`.

    """
    if wanted not in CHOICES:
        raise ValueError(f'unknown precision {wanted!r}; known are {", ".join(CHOICES)}')


def choose_precision(wanted: str, device: torch.device, flags: Collection[str]) -> Precision:
    """Decide in which precision a run computes.

    Args:
        wanted: Precision that the config asks for, one of `CHOICES`; 'auto' decides by the device.
        device: Device that the networks run on.
        flags: Names of the instruction sets that the CPU has, see `cpu_flags`.

    Raises:
        ValueError: `wanted` is not one of `CHOICES`.

    """
    check_precision(wanted)
    if wanted != 'auto':
        return Precision(wanted == 'bfloat16', 'as the config asks for')
    if device.type != 'cpu':
        return Precision(True, f'as on every device of type {device.type}')
    present = [flag for flag in BFLOAT16_FLAGS if flag in flags]
    if present:
        return Precision(True, f'for which this CPU has {" and ".join(present)}')
    return Precision(False, f'since this CPU has none of {", ".join(BFLOAT16_FLAGS)}')


def cpu_flags(listing: Path = Path('/proc/cpuinfo')) -> frozenset[str]:
    """Return the names of the instruction sets that this CPU has, spelt as `BFLOAT16_FLAGS` are.

    PyTorch knows them (2.13 does); for a version that does not, Linux lists them.

    Args:
        listing: Path of the file that lists them, see `listed_flags`.

    """
    import torch

    capabilities = getattr(torch.cpu, 'get_capabilities', None)
    if capabilities is not None:
        return frozenset(name for name, present in capabilities().items() if present is True)
    return listed_flags(listing)


def listed_flags(listing: Path) -> frozenset[str]:
    """Return the flags of the first core in a listing; none if there is no such file.

    Args:
        listing: Path of a file like Linux's ``/proc/cpuinfo``, with a line ``flags`` (x86) or
            ``Features`` (Arm) for each core.

    """
    try:
        lines = listing.read_text(encoding='utf-8').splitlines()
    except OSError:
        return frozenset()
    for line in lines:
        name, _, values = line.partition(':')
        if name.strip() in ('flags', 'Features'):
            return frozenset(values.split())
    return frozenset()
