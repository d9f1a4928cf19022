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

"""Fixtures of the training's tests."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

# Without PyTorch this folder is left out. A skip here would end the whole run: pytest 7 takes one
# in a conftest.py for a skip of everything. `make test-training` has PyTorch.
collect_ignore_glob = [] if importlib.util.find_spec('torch') else ['test_*.py']


@pytest.fixture(scope='session')
def faces(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with a manifest and splits of a few crops each."""
    from faces_folder import write_faces

    return write_faces(tmp_path_factory.mktemp('faces'))
