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

"""The status of the engine: model, provider, self-test and failures."""

from __future__ import annotations

import math

from diagnostic_msgs.msg import DiagnosticStatus

from cfrnet_ros.node.diagnostic_parts import Verdict, View, make_status
from cfrnet_ros.node.engine import Engine
from cfrnet_ros.vision.engine.cpu import cpu_kind

#: Processing time of one frame, in seconds, above which the engine status is ERROR.
STUCK_S = 10.0


def engine_status(view: View) -> DiagnosticStatus:
    """Build the status `<node>: engine`."""
    report, engine = view.report, view.engine
    verdict = Verdict()
    if view.transition_error:
        verdict.error(view.transition_error)
    if report.failure is not None:
        verdict.error(f'processing fails: {report.failure}')
    if report.busy_s > STUCK_S:
        verdict.error(
            f'one frame has been in processing for {report.busy_s:.0f} s, so the engine seems to'
            ' hang: deactivate, clean up, configure and activate the node to load it again'
        )
    values: dict[str, object] = {
        'provider/requested': view.settings.provider,
        'provider/strict': view.settings.strict_provider,
        'model/requested': view.settings.model,
        'threads': view.settings.threads,
        'parallel_frames': view.settings.parallel_frames,
    }
    fine = ''
    if engine is not None:
        for part, session in (
            ('restorer', engine.restorer),
            ('detector', engine.detector),
            ('fine stage', engine.fine),
        ):
            if session is not None and session.fell_back:
                verdict.warn(
                    f'{part} runs on {session.used} instead of {session.requested}:'
                    f' {session.reason}'
                )
        for rejected in engine.rejected:
            verdict.warn(f'self-test: {rejected}')
        if engine.self_test.failed:
            verdict.warn(f'self-test {engine.self_test}')
        values |= {
            'provider/requested': engine.restorer.requested,
            'provider/used': engine.restorer.used,
            'provider/fell_back': engine.restorer.fell_back,
            'provider/reason': engine.restorer.reason,
            'provider/detector_used': engine.detector.used,
            'provider/detector_fell_back': engine.detector.fell_back,
            'provider/detector_reason': engine.detector.reason,
            **({} if engine.fine is None else {'provider/fine_used': engine.fine.used}),
            'model/name': engine.card.name,
            'model/file': engine.card.file,
            'model/precision': engine.card.precision,
            'model/precision_reason': engine.precision_reason,
            'model/size': engine.card.size,
            'model/iterative': engine.card.iterative,
            'model/sha256': engine.card.sha256,
            'threads/used': engine.threads.threads,
            'threads/reason': engine.threads.reason,
            'cpu': cpu_kind(),
            **_self_test_values(engine),
        }
        fine = f'{engine.card.name} on {engine.restorer.used}'
    return make_status(view, 'engine', verdict, fine, values)


def _self_test_values(engine: Engine) -> dict[str, object]:
    test = engine.self_test
    return {
        'self_test/verdict': test.verdict,
        'self_test/reason': test.reason,
        **{f'self_test/k{k}_db': f'{value:.1f}' for k, value in test.decibels},
        'self_test/limit_db': _known(test.limit_db),
        'self_test/worst_pixel_levels': test.worst_levels,
        'self_test/cycle_ms': _known(test.cycle_ms),
        'self_test/rejected': '; '.join(engine.rejected),
    }


def _known(value: float) -> str:
    """Format a number with one digit after the decimal point, or as '' if it is NaN."""
    return '' if math.isnan(value) else f'{value:.1f}'
