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

"""A degradation as a record: what is done to a face, in which order, with which numbers."""

from __future__ import annotations

from dataclasses import dataclass, field

from torch import Tensor

from training.degradation.fusion import Fusion
from training.degradation.light import Grey
from training.degradation.resize import Enlarge, Shrink
from training.degradation.step import Step


@dataclass(frozen=True)
class Degradation:
    """One reproducible way in which a camera spoils a face.

    Attributes:
        steps: Operators in the order in which they are applied. `Shrink` and `Enlarge` come in
            pairs; what lies between them happens at the lower resolution.
        target: Step that is applied to the truth as well. Infrared has no colour to bring back, so
            its truth is grey too: colour must not be invented.
        names: Names of the steps for sheets and logs; the labels of the steps unless given.
        fusion: Fusion of several such frames into the image, or None for one frame.

    Raises:
        ValueError: `Shrink` and `Enlarge` are not paired.

    """

    steps: tuple[Step, ...] = ()
    target: Grey | None = None
    names: tuple[str, ...] = field(default=())
    fusion: Fusion | None = None

    def __post_init__(self) -> None:
        """Check the pairs and derive the names."""
        low = False
        for step in self.steps:
            if isinstance(step, (Shrink, Enlarge)):
                if low == isinstance(step, Shrink):
                    raise ValueError(
                        f'each Shrink needs one Enlarge after it, but the steps are {self.steps}'
                    )
                low = not low
        if low:
            raise ValueError(f'the last Shrink has no Enlarge after it in {self.steps}')
        if not self.names:
            shown = [s.label for s in self.steps if s.label not in ('up', 'mono')]
            if self.fusion is not None:
                shown.append(f'{self.fusion.frames} frames')
            object.__setattr__(self, 'names', tuple(shown) or ('clean',))

    def __call__(self, images: Tensor) -> Tensor:
        """Degrade (n, 3, H, W) RGB in 0..1, all alike; same shape and range."""
        from training.degradation.batch import degrade

        return degrade(images, [self] * images.shape[0])

    def truth(self, images: Tensor) -> Tensor:
        """Return what a perfect restoration of the degraded images would be."""
        from training.degradation.batch import targets

        return targets(images, [self] * images.shape[0])


def clean_plan() -> Degradation:
    """Return the plan that leaves a face as it is."""
    return Degradation()
