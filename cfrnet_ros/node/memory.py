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

"""Returns freed memory to the operating system."""

from __future__ import annotations

import ctypes
import gc


def return_free_memory() -> bool:
    """Give memory that Python and native libraries have freed back to the operating system.

    glibc keeps freed blocks for later allocations, so that a node without models would still take
    as much memory as one with models.

    Returns:
        Whether the C library offers that; only glibc does.

    """
    gc.collect()
    trim = getattr(ctypes.CDLL(None), 'malloc_trim', None)
    if trim is None:
        return False
    trim(0)
    return True
