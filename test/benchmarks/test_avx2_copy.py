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

"""A copy of ONNX Runtime with AVX2 kernels, and the comparison of kernels."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from benchmarks.performance.avx2 import faster
from benchmarks.performance.avx2_copy import (
    AVX2_KERNELS,
    CopyError,
    environment,
    kernels_with,
    make_copy,
    without_avx512,
)


def cpu_flags() -> set[str]:
    """Return the flags of the CPU as Linux lists them."""
    try:
        return set(Path('/proc/cpuinfo').read_text().split())
    except OSError:
        return set()


def test_a_library_that_is_arranged_otherwise_is_refused() -> None:
    with pytest.raises(CopyError, match='arranged otherwise'):
        without_avx512(b'\x0f\x01\xd0' * 10)


@pytest.mark.slow
@pytest.mark.skipif(
    sys.platform != 'linux' or 'avx512f' not in cpu_flags() or 'avx_vnni' in cpu_flags(),
    reason='needs a CPU with AVX-512 and without AVX-VNNI',
)
def test_the_copy_uses_other_kernels_than_the_installed_package(tmp_path: Path) -> None:
    made = make_copy(tmp_path)
    assert made == tmp_path / 'onnxruntime'
    assert kernels_with(environment(tmp_path)) == AVX2_KERNELS
    assert kernels_with(environment(None)) != AVX2_KERNELS


def test_of_two_measurements_the_faster_counts_and_the_roof_is_the_higher() -> None:
    one = {'cycle_ms': 40.0, 'roof_gmacs': 100.0, 'gmac': 4.0, 'at_roof_ms': 40.0, 'ratio': 1.0}
    other = {**one, 'cycle_ms': 50.0, 'roof_gmacs': 125.0}
    found = faster({'roof': one, 'detect_ms': 9.0}, {'roof': other, 'detect_ms': 8.0})
    assert found['detect_ms'] == 8.0
    assert found['roof']['cycle_ms'] == 40.0
    assert found['roof']['roof_gmacs'] == 125.0
    assert found['roof']['at_roof_ms'] == 32.0
    assert found['roof']['ratio'] == 1.25
