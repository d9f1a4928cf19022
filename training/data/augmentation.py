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

"""How often the scene of a training face is changed, as a run's config says; needs no PyTorch."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Augmentation:
    """How often each is drawn, as shares of the faces.

    Attributes:
        pose: Share of heads that are turned, see `training.data.pose`.
        shadow: Share of faces under a cast shadow.
        glint: Share of faces with reflections of glasses over an eye or both.
        hand: Share of faces with a hand, or something of a hand's size, before them.
        lids: Share of faces whose lids are drawn down, see `training.data.lids`.

    Raises:
        ValueError: A share is not in 0..1.

    """

    pose: float = 0.0
    shadow: float = 0.0
    glint: float = 0.0
    hand: float = 0.0
    lids: float = 0.0

    def __post_init__(self) -> None:
        """Check the shares."""
        shares = (self.pose, self.shadow, self.glint, self.hand, self.lids)
        if min(shares) < 0 or max(shares) > 1:
            raise ValueError(f'shares of augmented faces must be 0..1, not {shares}')
