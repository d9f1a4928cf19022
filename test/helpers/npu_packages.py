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
