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

"""Weights of frozen networks as files of NumPy arrays: checked, and written whole."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from torch import nn

Array = NDArray[np.float32]


def check_file(path: Path, sha256: str, what: str) -> None:
    """Refuse a file that the conversion was not written for.

    Args:
        path: Path of the file.
        sha256: Hash that its content must have, in hexadecimal digits.
        what: Name of the wanted file, for the message.

    Raises:
        FileNotFoundError: The file is missing.
        ValueError: The file has another content.

    """
    if not path.is_file():
        raise FileNotFoundError(f'{path} is missing')
    if (found := hashlib.sha256(path.read_bytes()).hexdigest()) != sha256:
        raise ValueError(f'{path} is not {what}: its SHA-256 is {found}')


def write_state(state: dict[str, Array], network: nn.Module, path: Path) -> None:
    """Write a network's weights as a file of arrays, made whole or not at all.

    Args:
        state: Arrays by the names that the network's `state_dict` has.
        network: Network that will load the file.
        path: Path of the file, ending in `.npz`; its folder is made if need be.

    Raises:
        ValueError: Names or shapes are not those of the network.

    """
    wanted = {k: tuple(v.shape) for k, v in network.state_dict().items()}
    if {k: v.shape for k, v in state.items()} != wanted:
        raise ValueError(f'what was to become {path.name} holds another network')
    path.parent.mkdir(parents=True, exist_ok=True)
    arrays = {k: np.ascontiguousarray(v) for k, v in state.items()}
    replace_file(path, lambda part: np.savez(part, **arrays))  # type: ignore[arg-type]


def replace_file(path: Path, write: Callable[[Path], object]) -> None:
    """Write a file so that it is never seen half written."""
    part = path.with_name('part-' + path.name)
    write(part)
    part.replace(path)
