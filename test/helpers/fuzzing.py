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

"""How often the fuzz tests try: a little in `make test`, much in `make fuzz`."""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar

from hypothesis import HealthCheck, settings

#: Number of inputs for each target in `make test`. The same inputs each time, so that a failure
#: is repeatable there; `make fuzz` draws new ones.
SHORT = 60
EXAMPLES = int(os.environ.get('FUZZ_EXAMPLES', SHORT))

#: Number of inputs tried in this run and seconds taken, by target.
tried: Counter[str] = Counter()
seconds: Counter[str] = Counter()

Test = TypeVar('Test', bound=Callable[..., Any])


def fuzz(share: float = 1.0) -> Callable[[Test], Test]:
    """Return a decorator for a test that stands above `given`.

    Args:
        share: Number of inputs as a share of the usual one, below 1 for slow targets.

    """
    return settings(
        max_examples=max(10, round(EXAMPLES * share)),
        derandomize=EXAMPLES == SHORT,
        # Speed is not asserted, and the machine may be busy.
        deadline=None,
        database=None,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
    )


def counted(test: Test) -> Test:
    """Count the inputs of a test; stands below `given`."""

    @wraps(test)
    def counting(*args: Any, **given: Any) -> Any:
        start = time.monotonic()
        try:
            return test(*args, **given)
        finally:
            tried[test.__name__] += 1
            # A counter of floats: only its values are used.
            seconds[test.__name__] += time.monotonic() - start  # type: ignore[assignment]

    return counting  # type: ignore[return-value]
