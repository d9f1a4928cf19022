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

"""What is measured on which images: the slow metrics not everywhere.

Milliseconds of one core with AVX-512 an image: DISTS 330, SFace 25, MS-SSIM 21,
EfficientNet's features 19, SSIM 13, LPIPS 10, NIQE 6, detector and mesh 3; a cycle of the
INT8 network 17, of the FP32 network 40. Eight images a face (k = 0..6 and the truth), 300
faces and three sets make 7,200 images a model.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

#: Seed of the test degradations, see `training.evaluation.cases.CaseSet`.
SEED = 2026

#: Sets with a truth, in the order that numbers them.
SETS = ('general', 'car', 'mosaic', 'motion')

#: Real low-quality faces, without a truth.
REAL = 'real_lq'

#: The undegraded test faces: whether restoring leaves them alone.
CLEAN = 'clean'

#: The most cycles of the tables, and of the curves of the fixed point.
CYCLES, FIXED_POINT_CYCLES = 6, 16

#: Name of the stage that is the undegraded face; the others are '0', '1'...
TRUTH = 'truth'

#: Faces a unit of work: what a kill costs at most, for each process.
CHUNK = 10


@dataclass(frozen=True)
class Share:
    """On which images a group of metrics is measured.

    Attributes:
        cycles: Stages k; 0 is the degraded input.
        every: 1 takes everyone, n every n-th person of the list.
        truth: Whether the undegraded face is measured as well.

    """

    cycles: tuple[int, ...] = tuple(range(CYCLES + 1))
    every: int = 1
    truth: bool = False

    def covers(self, number: int, stage: str) -> bool:
        """Whether a stage of the person with this number is measured."""
        if number % self.every:
            return False
        return self.truth if stage == TRUTH else int(stage) in self.cycles


@dataclass(frozen=True)
class Coverage:
    """What is measured of one model on one set: a share for each group of metrics."""

    shares: Mapping[str, Share]

    def covers(self, group: str, number: int, stage: str) -> bool:
        """Whether a group of metrics is measured on a stage of a person."""
        share = self.shares.get(group)
        return share is not None and share.covers(number, stage)

    def describe(self) -> dict[str, dict[str, object]]:
        """Return the coverage as JSON can hold it."""
        return {
            group: {'cycles': list(share.cycles), 'every': share.every, 'truth': share.truth}
            for group, share in self.shares.items()
        }


_ALL = Share()
_ALL_AND_TRUTH = Share(truth=True)

#: The model that most people run gets everything, DISTS on every fifth person.
MAIN = Coverage(
    {
        'psnr': _ALL,
        'ssim': _ALL,
        'ms_ssim': _ALL,
        'lpips': _ALL,
        'dists': Share(every=5),
        'niqe': _ALL_AND_TRUTH,
        'identity': _ALL,
        'mesh': _ALL_AND_TRUTH,
        'detection': _ALL_AND_TRUTH,
        'features': _ALL_AND_TRUTH,
    }
)

#: The others get what tells them apart...
OTHER = Coverage({'psnr': _ALL, 'ssim': _ALL, 'lpips': _ALL, 'identity': _ALL, 'mesh': _ALL})

#: ... and on the general set the slow metrics for k = 1..3.
_EARLY = (0, 1, 2, 3)
OTHER_GENERAL = Coverage(
    {
        **OTHER.shares,
        'ms_ssim': Share(_EARLY, every=5),
        'dists': Share(_EARLY, every=5),
        'niqe': Share(_EARLY),
        'features': Share(_EARLY),
    }
)

#: Without a truth: how natural, how findable, how far from the input's identity.
REAL_COVERAGE = Coverage(
    {'niqe': _ALL, 'identity': _ALL, 'mesh': _ALL, 'detection': _ALL, 'features': _ALL}
)

#: People of the curves of the fixed point: every n-th. The main model restores everyone's
#: clean face, for the figure that is to be reached.
FIXED_POINT_EVERY = 5


def coverage_for(name: str, main: bool, input_measured: bool) -> Coverage | None:
    """Say what is measured of a model on a set.

    Args:
        name: Name of the set.
        main: Whether the model is the main model.
        input_measured: Whether the main model's coverage measures the degraded input already: it is
            the same for every model.

    Returns:
        The coverage, or None if the model does not see the set.

    """
    if name == REAL:
        return REAL_COVERAGE if main else None
    if main:
        return MAIN
    coverage = OTHER_GENERAL if name == SETS[0] else OTHER
    if not input_measured:
        return coverage
    return Coverage(
        {
            group: replace(share, cycles=tuple(k for k in share.cycles if k > 0))
            for group, share in coverage.shares.items()
        }
    )
