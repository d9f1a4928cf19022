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

"""A network that is loaded when it is first used, since most nodes never use it."""

from __future__ import annotations

from collections.abc import Callable
from threading import Lock
from typing import Generic, TypeVar

T = TypeVar('T')


class LoadedOnce(Generic[T]):
    """Calls its loader at the first use; thread-safe."""

    def __init__(self, load: Callable[[], T]) -> None:
        """Keep the loader.

        Args:
            load: Function that returns the object. If it raises, the next use calls it again.

        """
        self._load = load
        self._loading = Lock()
        self._loaded: T | None = None

    def get(self) -> T:
        """Return the object; raises what the loader raises."""
        with self._loading:
            if self._loaded is None:
                self._loaded = self._load()
            return self._loaded
