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

"""Thins the frames to a rate."""

from __future__ import annotations

#: Share of the period by which a frame may come early, since cameras are not exact.
_EARLY = 0.2


class RateLimit:
    """Decides which frames are taken, so that no more than a number of them comes in a second.

    Times are kept on a grid of periods as long as frames come often enough: of 30 frames a second
    every second one is taken for a limit of 15, and none is lost for a limit of 30 whose frames
    come a little early and a little late. Not thread-safe.
    """

    def __init__(self) -> None:
        """Start without earlier frames."""
        self._due_s: float | None = None
        self._max_hz = 0.0

    def reset(self) -> None:
        """Forget the earlier frames."""
        self._due_s = None

    def takes(self, now_s: float, max_hz: float) -> bool:
        """Return whether a frame is taken.

        Args:
            now_s: Time of the frame's arrival in seconds, by a clock that never goes back.
            max_hz: Largest number of frames per second; 0 for no limit.

        """
        if max_hz != self._max_hz:
            self._max_hz, self._due_s = max_hz, None
        if max_hz <= 0:
            return True
        period_s = 1.0 / max_hz
        if self._due_s is None or now_s - self._due_s >= period_s:
            # The first frame, or the first after a pause, begins a new grid.
            self._due_s = now_s + period_s
            return True
        if now_s < self._due_s - _EARLY * period_s:
            return False
        self._due_s += period_s
        return True
