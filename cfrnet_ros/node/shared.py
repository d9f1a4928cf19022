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
        threads: CPU threads of the engine for a node whose parameter `threads` is 0.
        sessions: Loaded models.

    """

    turns: Turns
    threads: int = 0
    sessions: SessionPool = field(default_factory=SessionPool)

    def applied_to(self, settings: Settings) -> Settings:
        """Return the settings of a node, with the number of threads if the engine decides it."""
        return settings if settings.threads else replace(settings, threads=self.threads)
