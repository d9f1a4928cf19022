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

"""Reads pictures from bags in step with the frames, without holding a bag in memory."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from cfrnet_ros.replay.bag_reader import BagMessage, BagReader
from cfrnet_ros.replay.stamps import read_stamp

Picture = NDArray[np.uint8]

#: Number of messages that are read ahead of the wanted one.
_AHEAD = 64


class StampFinder:
    """Finds messages of a topic by header stamp, in roughly the order of recording."""

    def __init__(self, bag: BagReader, topic: str) -> None:
        """Start at the beginning of the bag.

        Args:
            bag: Open bag.
            topic: Name of a topic whose messages begin with a header.

        """
        self._messages: Iterator[BagMessage] = bag.messages(topic)
        self._waiting: dict[int, deque[BagMessage]] = {}
        self._order: deque[int] = deque()

    def take(self, stamp_ns: int, count: int = 1) -> list[BagMessage]:
        """Return the next messages with a stamp; fewer if there are not enough nearby."""
        for _ in range(_AHEAD):
            if len(self._waiting.get(stamp_ns, ())) >= count:
                break
            message = next(self._messages, None)
            if message is None:
                break
            stamp = read_stamp(message.data)
            self._waiting.setdefault(stamp, deque()).append(message)
            self._order.append(stamp)
            if len(self._order) > 2 * _AHEAD:
                # These messages were skipped and will not be requested again.
                self._drop(self._order.popleft())
        taken: list[BagMessage] = []
        while len(taken) < count and stamp_ns in self._waiting:
            taken.append(self._drop(stamp_ns))
            self._order.remove(stamp_ns)
        return taken

    def _drop(self, stamp_ns: int) -> BagMessage:
        found = self._waiting[stamp_ns]
        message = found.popleft()
        if not found:
            del self._waiting[stamp_ns]
        return message
