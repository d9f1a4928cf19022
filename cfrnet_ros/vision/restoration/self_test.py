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

"""Self-test of a restorer: compares the output of the engine in use with the FP32 reference.

A provider may load a model and yet compute something else: saturated sums, a misread zero point,
half precision where it does not suffice. Only restored pixels show it.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from cfrnet_ros.vision.engine.golden import load_golden
from cfrnet_ros.vision.errors import ModelError
from cfrnet_ros.vision.restoration.restorer import Restorer

PASSED, FAILED, SKIPPED = 'passed', 'failed', 'skipped'

#: PSNR in dB reported for equal pictures, whose PSNR is infinite.
EQUAL_DB = 99.0


@dataclass(frozen=True)
class SelfTest:
    """Result of a self-test.

    Attributes:
        verdict: Verdict, one of `PASSED`, `FAILED` and `SKIPPED`.
        reason: Reason why a test failed or was skipped; empty for a test that passed.
        decibels: PSNR in dB between the engine's output and the reference, by number of cycles;
            `EQUAL_DB` if both are equal.
        worst_levels: Largest difference of a byte between the two, 0..255.
        cycle_ms: Shortest duration of a cycle in milliseconds; NaN if none ran.
        limit_db: Smallest PSNR in dB that passes; NaN if none is known.

    """

    verdict: str
    reason: str = ''
    decibels: tuple[tuple[int, float], ...] = ()
    worst_levels: int = 0
    cycle_ms: float = float('nan')
    limit_db: float = float('nan')

    @property
    def failed(self) -> bool:
        """Whether the engine's output differs from that of the reference."""
        return self.verdict == FAILED

    def __str__(self) -> str:
        """Return the result as one line."""
        if self.verdict == SKIPPED:
            return f'skipped: {self.reason}'
        if not self.decibels:
            return f'{self.verdict}: {self.reason}'
        figures = ', '.join(f'{value:.1f} dB at k={k}' for k, value in self.decibels)
        return (
            f'{self.verdict}: {figures} from the FP32 reference (at least {self.limit_db:.1f} dB '
            f'needed), worst pixel {self.worst_levels} levels, {self.cycle_ms:.1f} ms a cycle'
        )


def run_self_test(restorer: Restorer) -> SelfTest:
    """Restore the golden crops of a restorer's card and compare the result with the reference.

    Args:
        restorer: Restorer, at the size at which it will be used.

    Returns:
        Result of the test. The test is skipped for a model without golden crops and for one that
        runs at another size than its own; it fails for an engine that raises an error.

    Raises:
        ModelError: The golden crops are missing or damaged.

    """
    if restorer.resized:
        return SelfTest(
            SKIPPED, f'crop_size is {restorer.card.size}, the golden crops have another size'
        )
    golden = load_golden(restorer.card)
    if golden is None:
        return SelfTest(SKIPPED, 'the model card has no golden crops')
    decibels, times, worst = [], [], 0
    wanted = [k for k in golden.expected if k == 1 or restorer.card.iterative]
    try:
        for cycle in restorer.cycles(golden.crop):
            times.append(cycle.milliseconds)
            if cycle.number in wanted:
                given, expected = cycle.crop(), golden.expected[cycle.number]
                decibels.append((cycle.number, min(EQUAL_DB, cv2.PSNR(given, expected))))
                worst = max(worst, int(cv2.absdiff(given, expected).max()))
            if cycle.number >= max(wanted):
                break
    except ModelError as error:
        return SelfTest(FAILED, str(error), limit_db=golden.limit_db)
    nearest = min(value for _, value in decibels)
    passed = np.isfinite(nearest) and nearest >= golden.limit_db
    return SelfTest(
        PASSED if passed else FAILED,
        '' if passed else 'its faces differ from those of the FP32 reference',
        tuple(decibels),
        worst,
        min(times),
        golden.limit_db,
    )
