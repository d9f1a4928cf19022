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

"""The time of each frame for the tracker and the filters, from stamps that may be out of order."""

from __future__ import annotations

#: A stamp that is older than the newest one by more than this, in seconds, is of a source that
#: has started again. Drivers and networks swap frames that are a few periods apart.
RESTART_S = 1.0
#: Time in seconds by which a late frame follows the frame before: filters need time that runs on,
#: and the next frame in order must still come after it.
LATE_STEP_S = 0.001


class FrameTimes:
    """Turns header stamps into times that always increase, and notices a restart of the source.

    A frame without a stamp, or with the stamp of the frame before, follows that frame by the time
    between their arrivals. A late frame follows it by `LATE_STEP_S`.

    Attributes:
        restarted: Whether the last frame belongs to a source that has started again.

    """

    def __init__(self) -> None:
        """Start without a frame."""
        self.restarted = False
        self._newest_s: float | None = None
        self._time_s: float | None = None
        self._received_s = 0.0

    def reset(self) -> None:
        """Take the next frame for the first one."""
        self._newest_s = self._time_s = None

    def add(self, stamp_ns: int, received_s: float) -> float:
        """Return the time of the next frame in seconds; of the stamps' clock, if there are any.

        Args:
            stamp_ns: Header stamp in nanoseconds; 0 or less means that there is none.
            received_s: Time of arrival in seconds, of a clock that never runs back.

        """
        stamp_s = stamp_ns / 1e9 if stamp_ns > 0 else None
        newest_s = self._newest_s
        self.restarted = (
            stamp_s is not None and newest_s is not None and stamp_s < newest_s - RESTART_S
        )
        if self.restarted:
            self.reset()
            newest_s = None
        if self._time_s is None:
            time_s = received_s if stamp_s is None else stamp_s
        elif stamp_s is None or stamp_s == newest_s:
            time_s = self._time_s + max(received_s - self._received_s, LATE_STEP_S)
        else:
            time_s = max(stamp_s, self._time_s + LATE_STEP_S)
        if stamp_s is not None:
            self._newest_s = stamp_s if newest_s is None else max(newest_s, stamp_s)
        self._time_s, self._received_s = time_s, received_s
        return time_s
