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

"""Packages of NPU vendors that `make test-npu` installs beside the environment of the tests."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / '.npu'


def environment_with(package: str, cache: Path) -> dict[str, str]:
    """Return the environment of a process that has a vendor's package; skip where it is missing.

    Args:
        package: Folder of the package in `.npu`, such as 'openvino'.
        cache: Folder for what is compiled.

    """
    folder = FOLDER / package
    if not folder.is_dir():
        pytest.skip(f'{package} is not installed: `make test-npu` does that')
    paths = [str(folder), *filter(None, [os.environ.get('PYTHONPATH')])]
    return {'PYTHONPATH': os.pathsep.join(paths), 'XDG_CACHE_HOME': str(cache)}
