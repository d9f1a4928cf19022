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

"""Finds the messages of one frame: those with the same header stamp."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field

#: Most camera images that are kept, for the time that restoration takes: four seconds at 30 Hz.
MOST_IMAGES = 120
#: Most bytes of them: 21 images of 1920 x 1080 pixels.
MOST_BYTES = 128 << 20
#: Most frames of which crops are missing: those of a third of a second at 30 Hz.
MOST_WAITING = 10


class RecentImages:
    """The newest serialised images of a camera, by their stamps."""

    def __init__(self, most_bytes: int = MOST_BYTES) -> None:
        """Start without images; the oldest go when there are more than `most_bytes` bytes."""
        self._most_bytes = most_bytes
        self._images: OrderedDict[int, bytes] = OrderedDict()

    def add(self, stamp_ns: int, data: bytes) -> None:
        """Keep an image; of several with the same stamp, the newest."""
        self._images[stamp_ns] = data
        self._images.move_to_end(stamp_ns)
        total = sum(map(len, self._images.values()))
        while len(self._images) > 1 and (
            total > self._most_bytes or len(self._images) > MOST_IMAGES
        ):
            total -= len(self._images.popitem(last=False)[1])

    def find(self, stamp_ns: int) -> bytes | None:
        """Return the image with a stamp, None if it did not arrive or is gone."""
        return self._images.get(stamp_ns)

    def clear(self) -> None:
        """Forget all images."""
        self._images.clear()


@dataclass
class _Parts:
    crops: list[bytes] = field(default_factory=list)
    faces: list[Mapping[str, str]] | None = None


class FaceMatcher:
    """Collects the crops of a frame until there are as many as its status lists.

    The node sends one status for a frame and one crop for each face, in the same order. Messages of
    different topics may arrive in any order.
    """

    def __init__(self) -> None:
        """Start without messages."""
        self._waiting: OrderedDict[int, _Parts] = OrderedDict()

    def add_crop(self, stamp_ns: int, crop: bytes) -> _Parts | None:
        """Add a serialised crop; returns the parts of the frame if it is complete now."""
        parts = self._parts(stamp_ns)
        parts.crops.append(crop)
        return self._finish(stamp_ns, parts)

    def add_status(self, stamp_ns: int, faces: list[Mapping[str, str]]) -> _Parts | None:
        """Add the values of each face; returns the parts of the frame if it is complete now."""
        parts = self._parts(stamp_ns)
        parts.faces = faces
        return self._finish(stamp_ns, parts)

    def _parts(self, stamp_ns: int) -> _Parts:
        parts = self._waiting.setdefault(stamp_ns, _Parts())
        while len(self._waiting) > MOST_WAITING:
            self._waiting.popitem(last=False)
        return parts

    def _finish(self, stamp_ns: int, parts: _Parts) -> _Parts | None:
        if parts.faces is None or len(parts.crops) < len(parts.faces):
            return None
        # An earlier frame that is still incomplete has lost a message.
        while self._waiting:
            if self._waiting.popitem(last=False)[0] == stamp_ns:
                break
        return parts
