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

"""Loads a restorer that passes its self-test, and reports what was tried before it."""

from __future__ import annotations

from dataclasses import dataclass

from cfrnet_ros.vision.engine.models import alternatives
from cfrnet_ros.vision.engine.precision import choose_precision
from cfrnet_ros.vision.engine.providers import ProviderChoice
from cfrnet_ros.vision.errors import ModelError, ProviderError
from cfrnet_ros.vision.restoration.restorer import Restorer
from cfrnet_ros.vision.restoration.self_test import FAILED, SKIPPED, SelfTest, run_self_test
from cfrnet_ros.vision.types import FAIL, FALLBACK, OFF, SELF_TEST_MODES, WARN


@dataclass(frozen=True)
class TrustedRestorer:
    """A restorer with the result of its self-test.

    Attributes:
        restorer: Restorer, warmed up.
        test: Result of the self-test.
        rejected: Sentences that say which engines were tried before and why each was rejected, in
            the order of the trials.
        precision_reason: Sentence that says why the file of this precision was taken; empty if
            `model` names the file.

    """

    restorer: Restorer
    test: SelfTest
    rejected: tuple[str, ...] = ()
    precision_reason: str = ''


def load_trusted(
    model: str, choice: ProviderChoice, threads: int = 0, size: int = 0, mode: str = FALLBACK
) -> TrustedRestorer:
    """Load the first engine that restores the golden crops as the FP32 reference does.

    With `FALLBACK`, the model's other precisions are tried on the same provider, then all
    precisions on the next provider.

    Args:
        model: Name or path of a model, as `models.resolve_model` takes it. Only shipped models have
            other precisions.
        choice: Execution providers, as `providers.choose_providers` returns them.
        threads: Number of CPU threads, 0 for ONNX Runtime's own choice.
        size: Side of the crops in pixels, 0 for the model's own.
        mode: Reaction to a failed self-test, one of `SELF_TEST_MODES`.

    Returns:
        Restorer and result. With `WARN` the self-test may have failed.

    Raises:
        ModelError: A file is missing or damaged, no engine passed its self-test although `mode` is
            `FALLBACK` or `FAIL`, or the engine raises an error although `mode` is `WARN` or `OFF`.
        ProviderError: No provider of the choice could be initialised.

    """
    if mode not in SELF_TEST_MODES:
        raise ValueError(f"mode must be one of {', '.join(SELF_TEST_MODES)}, not '{mode}'")
    rejected: list[str] = []
    while choice.remaining:
        chosen = choose_precision(model, choice.remaining[0])
        used = ''
        others = alternatives(chosen.model) if mode == FALLBACK else ()
        for candidate in (chosen.model, *others):
            try:
                restorer = Restorer(candidate, choice, threads, size)
            except ProviderError:
                if not rejected:
                    raise
                break
            if used and restorer.engine.used != used:
                # The model would run on another provider, which is tried later, with all
                # precisions.
                break
            used = restorer.engine.used
            test = _tested(restorer, mode)
            if not test.failed or mode == WARN:
                reason = chosen.reason if candidate == chosen.model else rejected[-1]
                return TrustedRestorer(restorer, test, tuple(rejected), reason)
            rejected.append(f'{restorer.card.name} on {used} {test}')
            if mode == FAIL:
                break
        if mode == FAIL or not used:
            break
        choice = choice.without(used, 'does not restore as the reference does')
    raise ModelError(
        f'no engine restores the golden crops of the model as its FP32 reference does: '
        f'{"; ".join(rejected)}. Name another provider or model, or set self_test to warn to use '
        'the model nevertheless'
    )


def _tested(restorer: Restorer, mode: str) -> SelfTest:
    """Warm an engine up and test it; one that raises an error at once has failed the test."""
    try:
        restorer.warm_up()
    except ModelError as error:
        if mode in (WARN, OFF):
            # No frame would get through such an engine.
            raise
        return SelfTest(FAILED, str(error))
    return SelfTest(SKIPPED, 'self_test is off') if mode == OFF else run_self_test(restorer)
