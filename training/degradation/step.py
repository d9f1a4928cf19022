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

"""What every operator has in common: a frozen record, and one call for a whole group of them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor

#: Height and width, in pixels, of the part of an image that is a face. The rest is padding
#: that lets images of different sizes lie in one tensor.
Extent = tuple[int, int]


class Step(ABC):
    """One operator with its parameters drawn: plain numbers, so it prints, pickles and compares.

    Attributes:
        kind: Kind of the step; steps of one kind are applied together in one call, whatever their
            class.
        label: Name for sheets and logs.
        cost: Number of operations that a call takes, roughly, whatever the number of images.

    """

    kind: ClassVar[str]
    cost: ClassVar[int] = 40
    label: ClassVar[str]

    @property
    def reach(self) -> int:
        """How far it looks around a pixel, in pixels, where that decides its cost."""
        return 0

    @classmethod
    @abstractmethod
    def apply(cls, images: Tensor, steps: Sequence[Any], extents: Sequence[Extent]) -> Tensor:
        """Apply to each image its own step.

        Args:
            images: (n, 3, H, W) float32 RGB in 0..1; H and W are multiples of 16 where an
                extent is smaller than they are.
            steps: The n steps, all of this class's kind.
            extents: Part of each image that counts.

        Returns:
            (n, 3, H, W); differentiable with respect to the images.

        """


def columns(rows: Sequence[Sequence[float]], like: Tensor) -> list[Tensor]:
    """Bring one row of parameters an image to the images' device, in one transfer.

    Returns:
        For each parameter a float32 tensor (n, 1, 1, 1).

    """
    table = torch.from_numpy(np.asarray(rows, dtype=np.float32))
    return list(table.to(like.device, non_blocking=True)[..., None, None, None].unbind(1))


def check(condition: bool, message: str) -> None:
    """Refuse a parameter.

    Raises:
        ValueError: The condition does not hold.

    """
    if not condition:
        raise ValueError(message)


class _StraightThrough(torch.autograd.Function):
    """Takes the second value, and the gradient of the first."""

    @staticmethod
    def forward(ctx: Any, value: Tensor, replacement: Tensor) -> Tensor:
        return replacement

    @staticmethod
    def backward(ctx: Any, *gradients: Any) -> Any:
        return gradients[0], None


def straight_through(value: Tensor, replacement: Tensor) -> Tensor:
    """Return the replacement, but differentiate as if it were the value.

    Bengio et al., "Estimating or propagating gradients through stochastic neurons", 2013.
    A transform coder whose rounding is passed straight through has the identity as its
    gradient as a whole, since its transform and the inverse cancel: so nothing inside it
    needs to be remembered for the backward pass.
    """
    if not (torch.is_grad_enabled() and value.requires_grad):
        return replacement
    result: Tensor = _StraightThrough.apply(value, replacement)
    return result


class _EightBits(torch.autograd.Function):
    """Rounds to eight bits, and passes the gradient where nothing was cut off."""

    @staticmethod
    def forward(ctx: Any, values: Tensor) -> Tensor:
        ctx.save_for_backward((values >= 0.0) & (values <= 255.0))
        return _eight_bits(values.clone())

    @staticmethod
    def backward(ctx: Any, *gradients: Any) -> Any:
        (inside,) = ctx.saved_tensors
        return gradients[0] * inside / 255.0


def _eight_bits(values: Tensor) -> Tensor:
    return values.clamp_(0.0, 255.0).round_().mul_(1.0 / 255.0)


def to_eight_bits(values: Tensor) -> Tensor:
    """Clip and round grey values and return them in 0..1; the gradient passes the rounding.

    Args:
        values: Values in 0..255; overwritten where no gradient is asked for.

    """
    if torch.is_grad_enabled() and values.requires_grad:
        result: Tensor = _EightBits.apply(values)
        return result
    return _eight_bits(values)
