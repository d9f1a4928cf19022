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

"""Files in slices of a limited size, each named with its hash."""

from __future__ import annotations

import hashlib
import io
from pathlib import Path
from typing import Any


class Sliced(io.RawIOBase):
    """Writes one file as slices; close it before `listing` is read.

    A file that fits into one slice keeps its name, others get ``.1``, ``.2``... at its end.
    """

    def __init__(self, folder: Path, name: str, limit_bytes: int) -> None:
        """Begin.

        Args:
            folder: Folder to write into, which exists.
            name: Name of the file.
            limit_bytes: Largest size of a slice in bytes.

        Raises:
            ValueError: The limit is below one byte.

        """
        if limit_bytes < 1:
            raise ValueError(f'a slice holds at least one byte, not {limit_bytes}')
        self._folder, self._name, self._limit = folder, name, limit_bytes
        self._buffer = bytearray()
        self._slices: list[dict[str, Any]] = []

    def writable(self) -> bool:
        """Say yes."""
        return True

    def write(self, data: Any) -> int:
        """Take in bytes; return how many."""
        self._buffer += data
        while len(self._buffer) > self._limit:
            self._put(f'{self._name}.{len(self._slices) + 1}', self._buffer[: self._limit])
            del self._buffer[: self._limit]
        return len(data)

    def close(self) -> None:
        """Write the last slice."""
        if not self.closed:
            number = len(self._slices) + 1
            self._put(self._name if number == 1 else f'{self._name}.{number}', self._buffer)
            self._buffer.clear()
        super().close()

    def listing(self) -> list[dict[str, Any]]:
        """Return of each slice its `file`, its size in `bytes` and its `sha256`, in order."""
        return self._slices

    def _put(self, name: str, data: bytes | bytearray) -> None:
        (self._folder / name).write_bytes(data)
        digest = hashlib.sha256(data).hexdigest()
        self._slices.append({'file': name, 'bytes': len(data), 'sha256': digest})
