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

"""What the nodes of one process share."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from cfrnet_ros.node.parameters import Settings
from cfrnet_ros.node.turns import Turns
from cfrnet_ros.vision.engine.session_pool import SessionPool


@dataclass(frozen=True)
class Shared:
    """Engine that several nodes of one process use, and their turns at it.

    Attributes:
        turns: Turns of the nodes.
        cameras: Number of the nodes.
        cores: Number of CPU cores that they share.
        sessions: Loaded models.

    """

    turns: Turns
    cameras: int = 1
    cores: int = 1
    sessions: SessionPool = field(default_factory=SessionPool)

    def applied_to(self, settings: Settings) -> Settings:
        """Return the settings of a node, with the number of CPU threads if `threads` is 0.

        The frames that are worked on at once share the cores: as many as there are turns, or as the
        cameras have together, each `parallel_frames`.
        """
        if settings.threads:
            return settings
        frames = min(self.turns.at_once, self.cameras * settings.parallel_frames)
        return replace(settings, threads=max(1, self.cores // frames))
