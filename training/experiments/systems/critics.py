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

"""The frozen networks that judge all rows, loaded once and only if a row asks for them."""

from __future__ import annotations

import torch

from training.critics.identity_networks import CRITICS, IdentityCritic
from training.critics.identity_weights import used_critics
from training.critics.perceptual import Lpips
from training.losses.ccfp import Critics
from training.losses.weights import LossWeights


class SharedCritics:
    """Perceptual distance and face embeddings on one device."""

    def __init__(self, device: torch.device, half: bool) -> None:
        """Load nothing yet.

        Args:
            device: Device that trains.
            half: Whether networks run under autocast to bfloat16.

        """
        self._device, self._half = device, half
        self._lpips: Lpips | None = None
        self._identity: dict[str, IdentityCritic] = {}

    def chosen(self, weights: LossWeights) -> Critics:
        """Return what some weights ask for, without a discriminator.

        Raises:
            FileNotFoundError: The weights of one of the networks are missing.

        """
        if max(weights.perceptual) > 0 and self._lpips is None:
            self._lpips = Lpips('vgg', half=self._half).to(self._device)
        named = used_critics(weights.identity_critics) if weights.identity > 0 else []
        for name in named:
            if name not in self._identity:
                self._identity[name] = CRITICS[name]().to(self._device)
        return Critics(
            lpips=self._lpips if max(weights.perceptual) > 0 else None,
            judge=None,
            identity={name: self._identity[name] for name in named},
        )
