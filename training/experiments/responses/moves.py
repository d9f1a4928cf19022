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

"""Ways in which the weights of a network may move."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from training.experiments.mixtures import check_layout

Weights = Mapping[str, Tensor]

#: Length of a move as a share of what moves: of the norm of an output channel's kernel, or of the
#: root mean square of a layer's biases.
_UNIT = 0.01

#: Smallest norm of a kernel that counts, as a share of the root mean square of the layer's. A
#: channel that is nearly dead moves by a share of its neighbours' norm.
_FLOOR = 0.3


class Moves:
    """Moves of each output channel towards other weights, its growth, and moves of each bias.

    Each move is scaled to a hundredth of the channel's kernel, so that a step of 1 along any of
    them changes the network about alike.

    Attributes:
        start: Weights from which they go.

    """

    def __init__(self, start: Weights, others: Sequence[Weights]) -> None:
        """Take the differences of other weights from those to move.

        Args:
            start: Weights to move, by name.
            others: Weights of the same names and shapes.

        Raises:
            ValueError: Names or shapes differ.

        """
        for other in others:
            check_layout(start, other)
        self.start = {name: value.detach().float() for name, value in start.items()}
        self._moves = {
            name: _moves_of(value, [other[name].detach().float() for other in others])
            for name, value in self.start.items()
        }

    def __len__(self) -> int:
        """Return the number of moves."""
        return sum(moves.shape[0] * moves.shape[1] for moves in self._moves.values())

    def along(self, gradients: Sequence[Tensor]) -> NDArray[np.float32]:
        """Return the derivatives along all moves, (M,) float32.

        Args:
            gradients: Gradient for each weight, in the order of the weights' names.

        """
        parts = [
            (moves * gradient.reshape(1, moves.shape[1], -1)).sum(dim=2).flatten()
            for moves, gradient in zip(self._moves.values(), gradients, strict=True)
        ]
        return np.asarray(torch.cat(parts).numpy(), np.float32)

    def moved(self, step: NDArray[np.floating]) -> dict[str, Tensor]:
        """Return the weights after a step.

        Args:
            step: (M,) lengths, one for each move.

        Raises:
            ValueError: There is not one length for each move.

        """
        if step.shape != (len(self),):
            raise ValueError(f'the step needs ({len(self)},) lengths, got {step.shape}')
        weights, begin = {}, 0
        for name, value in self.start.items():
            moves = self._moves[name]
            end = begin + moves.shape[0] * moves.shape[1]
            lengths = torch.from_numpy(step[begin:end].astype(np.float32))
            change = (lengths.view(*moves.shape[:2], 1) * moves).sum(dim=0)
            weights[name] = value + change.view_as(value)
            begin = end
        return weights


def _moves_of(value: Tensor, others: Sequence[Tensor]) -> Tensor:
    """Return the (moves, channels, size) moves of one weight."""
    if value.ndim == 1:
        # Each bias is a number, which can only grow or shrink.
        unit = _UNIT * float(value.square().mean().sqrt()) + 1e-5
        return torch.full((1, len(value), 1), unit)
    kernels = value.flatten(1)
    moves = torch.stack([*((other.flatten(1) - kernels) for other in others), kernels])
    norms = kernels.norm(dim=1)
    norms = torch.maximum(norms, _FLOOR * norms.square().mean().sqrt())
    lengths = moves.norm(dim=2, keepdim=True)
    directions = torch.where(lengths > 1e-12, moves / lengths.clamp(min=1e-12), 0.0)
    return directions * (_UNIT * norms).view(1, -1, 1)
