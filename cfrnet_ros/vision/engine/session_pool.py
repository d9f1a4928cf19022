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

"""Sessions that several pipelines of one process share."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Hashable
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING
from weakref import WeakValueDictionary

if TYPE_CHECKING:
    from cfrnet_ros.vision.engine.sessions import EngineSession


class SessionPool:
    """Loads each model once for all that ask for it, and frees it with its last user.

    `InferenceSession.run` of ONNX Runtime may be called by several threads at once, so that users
    share weights and compiled kernels; buffers of inputs and outputs are each user's own.
    Thread-safe. Two threads that ask for the same model at once load it once; a model that takes
    long to load delays nobody who asks for another one.
    """

    def __init__(self) -> None:
        """Create an empty pool."""
        self._lock = Lock()
        self._loading: dict[Hashable, Lock] = {}
        self._sessions: WeakValueDictionary[Hashable, EngineSession] = WeakValueDictionary()

    def __len__(self) -> int:
        """Return the number of sessions in use."""
        return len(self._sessions)

    def get(self, key: Hashable, load: Callable[[], EngineSession]) -> EngineSession:
        """Return the session of a key, and load it if nobody has it.

        Args:
            key: Everything that the session depends on.
            load: Function that loads the session.

        Returns:
            Session that others with the same key use too.

        Raises:
            ModelError: As `load` raises it; the next caller tries again.
            ProviderError: As `load` raises it; the next caller tries again.

        """
        with self._lock:
            turn = self._loading.setdefault(key, Lock())
        with turn:
            session = self._sessions.get(key)
            if session is None:
                session = load()
                self._sessions[key] = session
            return session


def model_key(model: str | Path | bytes) -> Hashable:
    """Return what tells a model from others: its content, or its file and the file's state."""
    if isinstance(model, bytes):
        return hashlib.sha256(model).hexdigest()
    path = Path(model).resolve()
    try:
        state = path.stat()
    except OSError:
        # `create_session` says what is wrong with the file.
        return str(path)
    return str(path), state.st_mtime_ns, state.st_size
