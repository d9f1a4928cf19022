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

    Raises:
        ValueError: A share is not in 0..1.

    """

    pose: float = 0.0
    shadow: float = 0.0
    glint: float = 0.0
    hand: float = 0.0

    def __post_init__(self) -> None:
        """Check the shares."""
        shares = (self.pose, self.shadow, self.glint, self.hand)
        if min(shares) < 0 or max(shares) > 1:
            raise ValueError(f'shares of augmented faces must be 0..1, not {shares}')
