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

"""Log line that describes the arriving images: size, encoding and rate."""

from __future__ import annotations

from collections.abc import Callable

from sensor_msgs.msg import CompressedImage, Image

from cfrnet_ros.node.images.compressed import compressed_size

#: Time in seconds over which the rate is measured before the line is written.
RATE_S = 1.0


class FirstImage:
    """Describes the images once, when enough of them have arrived to measure their rate.

    Attributes:
        told: Whether the line was written.

    """

    def __init__(self, log: Callable[[str], object]) -> None:
        """Keep `log`, a function that is called with the line."""
        self._log = log
        self.reset()

    def reset(self) -> None:
        """Describe the next image as the first one."""
        self.told = False
        self._first: tuple[float, str] | None = None
        self._count = 0

    def take(self, msg: Image | CompressedImage, now_s: float) -> None:
        """Count an image.

        Args:
            msg: Message that `ImageDecoder.check` accepted.
            now_s: Time of the message's arrival, in seconds of a steady clock.

        """
        if self.told:
            return
        if self._first is None:
            self._first = (now_s, _describe(msg))
            return
        self._count += 1
        start_s, text = self._first
        if now_s - start_s >= RATE_S:
            self._log(f'first image: {text} at {self._count / (now_s - start_s):.3g} Hz')
            self.told = True


def _describe(msg: Image | CompressedImage) -> str:
    if isinstance(msg, Image):
        return f'{msg.width}x{msg.height} {msg.encoding}'
    width, height = compressed_size(msg)
    return f'{width}x{height} {msg.format or "compressed"}'
