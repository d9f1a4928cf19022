"""The node's state as three diagnostic statuses: input, restoration, engine."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from diagnostic_msgs.msg import DiagnosticStatus, KeyValue

from cfrnet_ros.node.engine import Engine
from cfrnet_ros.node.face_report import face_values, value_text
from cfrnet_ros.node.monitor import Report
from cfrnet_ros.node.parameters import Settings
from cfrnet_ros.vision.engine.cpu import cpu_kind
from cfrnet_ros.vision.stages import Stage

#: An age above this is no latency but another clock.
FOREIGN_CLOCK_MS = 3600e3
#: A frame that takes longer than this in the engine is worth a warning.
STUCK_S = 10.0

ACTIVE = 'active'


@dataclass(frozen=True)
class View:
    """All that the statuses are made of.

    Attributes:
        node_name: fully qualified, without the leading slash: the statuses' prefix.
        hardware_id: as it is to be reported.
        lifecycle_state: label of the state, for instance 'active'.
        topic: resolved name of the input.
        publishers: how many nodes publish on it.
        settings: parameters at this moment.
        report: numbers at this moment.
        engine: None while nothing is loaded.
        transition_error: What the last lifecycle transition did not reach, and why, such as
            'not configured: no such model'; '' if it did not fail.
        silence: Why no image arrives, see `publisher_check.explain_silence`; '' while images
            arrive.

    """

    node_name: str
    hardware_id: str
    lifecycle_state: str
    topic: str
    publishers: int
    settings: Settings
    report: Report
    engine: Engine | None
    transition_error: str
    silence: str = ''

    @property
    def active(self) -> bool:
        """Whether frames are expected."""
        return self.lifecycle_state == ACTIVE


@dataclass
class _Verdict:
    """Collects findings; the worst decides the level, all of them the message."""

    level: int = 0
    findings: list[str] = field(default_factory=list)

    def warn(self, text: str) -> None:
        self.level = max(self.level, 1)
        self.findings.append(text)

    def error(self, text: str) -> None:
        self.level = 2
        # The worst first: viewers cut long messages.
        self.findings.insert(0, text)


_LEVELS = (DiagnosticStatus.OK, DiagnosticStatus.WARN, DiagnosticStatus.ERROR)


def build_statuses(view: View) -> list[DiagnosticStatus]:
    """Judge the node.

    Returns:
        `<node>: restoration`, `<node>: input` and `<node>: engine`, always all
        three, so that an aggregator never calls one stale.

    """
    return [_restoration(view), _input(view), _engine(view)]


def _status(
    view: View, part: str, verdict: _Verdict, fine: str, values: dict[str, object]
) -> DiagnosticStatus:
    values = {'lifecycle_state': view.lifecycle_state, **values}
    return DiagnosticStatus(
        level=_LEVELS[verdict.level],
        name=f'{view.node_name}: {part}',
        message='; '.join(verdict.findings) or (fine if view.active else view.lifecycle_state),
        hardware_id=view.hardware_id,
        values=[KeyValue(key=key, value=value_text(value)) for key, value in values.items()],
    )


def _input(view: View) -> DiagnosticStatus:
    report, settings = view.report, view.settings
    counts = report.counts
    verdict = _Verdict()
    if view.active:
        silent_s = report.active_s if report.since_image_s is None else report.since_image_s
        if silent_s > settings.diagnostics_no_image_error_s:
            verdict.error(
                f'no image on {view.topic} for {silent_s:.1f} s ({view.publishers} publishers)'
            )
            if view.silence:
                verdict.error(view.silence)
        if report.drop_share > settings.diagnostics_drop_warn_share:
            verdict.warn(f'{report.drop_share:.0%} of the frames dropped for newer ones')
        if report.recent_rejected:
            causes = ', '.join(f'{n} {cause}' for cause, n in report.recent_rejected.items())
            verdict.warn(f'of {report.recent_received} frames rejected: {causes}')
    values: dict[str, object] = {
        'topic': view.topic,
        'transport': settings.image_transport,
        'publishers': view.publishers,
        'rate/input_hz': report.input_hz,
        'frames/received': counts.received,
        'frames/processed': counts.processed,
        'frames/dropped': counts.dropped,
        'frames/rejected': sum(counts.rejected.values()),
        **{f'frames/rejected/{cause}': n for cause, n in counts.rejected.items()},
        'frames/in_flight': counts.in_flight,
        'drop_share': report.drop_share,
        'since_image_s': report.since_image_s,
        'window_s': settings.diagnostics_window_s,
    }
    return _status(view, 'input', verdict, f'{report.input_hz:.1f} Hz', values)


def _restoration(view: View) -> DiagnosticStatus:
    report, settings = view.report, view.settings
    counts = report.counts
    verdict = _Verdict()
    age = report.latency.get(Stage.AGE)
    if view.active:
        # Without images nobody can be seen: that is the input's error.
        watching = (
            report.since_processed_s is not None
            and report.since_processed_s < settings.diagnostics_no_face_warn_s
        )
        faceless_s = report.active_s if report.since_face_s is None else report.since_face_s
        if watching and faceless_s > settings.diagnostics_no_face_warn_s:
            verdict.warn(f'no face for {faceless_s:.1f} s')
        if age is not None and age.p95 > FOREIGN_CLOCK_MS:
            verdict.warn(
                f'images are {age.p95 / 3600e3:.1f} h old: their stamps are of another clock; set'
                ' use_sim_time when a bag is replayed'
            )
        elif age is not None and age.p95 > settings.diagnostics_age_warn_ms:
            verdict.warn(
                f'age p95 {age.p95:.0f} ms is above {settings.diagnostics_age_warn_ms:.0f} ms'
            )
    last = report.last
    values: dict[str, object] = {
        'rate/output_hz': report.output_hz,
        'faces_per_frame': report.faces_per_frame,
        'cycles/asked': settings.cycles if last is None else last.cycles_asked,
        'cycles/allowed': settings.cycles if last is None else last.cycles_allowed,
        'cycles/used': 0 if last is None else last.cycles_used,
        'faces/passed_on': counts.faces,
        'faces/restored': counts.restored,
        'faces/reused': counts.reused,
        'faces/unrestored': sum(counts.refused.values()),
        **{f'faces/unrestored/{reason}': n for reason, n in counts.refused.items()},
        'since_face_s': report.since_face_s,
        'frames_without_usable_stamp': counts.age_unusable,
        'window_s': settings.diagnostics_window_s,
    }
    for number, residual in enumerate(() if last is None else last.residuals, start=1):
        values[f'residual/cycle_{number}'] = f'{residual:.5f}'
    for place, face in enumerate(() if last is None else last.faces, start=1):
        values |= {f'face_{place}/{key}': value for key, value in face_values(face).items()}
    for stage, times in report.latency.items():
        values[f'latency/{stage.value}/p50_ms'] = times.p50
        values[f'latency/{stage.value}/p95_ms'] = times.p95
        values[f'latency/{stage.value}/p99_ms'] = times.p99
        values[f'latency/{stage.value}/max_ms'] = times.max
    fine = 'waiting for images'
    if report.since_processed_s is not None:
        fine = f'{report.output_hz:.1f} Hz'
        if age is not None:
            fine += f', age p95 {age.p95:.0f} ms'
    return _status(view, 'restoration', verdict, fine, values)


def _engine(view: View) -> DiagnosticStatus:
    report, engine = view.report, view.engine
    verdict = _Verdict()
    if view.transition_error:
        verdict.error(view.transition_error)
    if report.failure is not None:
        verdict.error(f'processing fails: {report.failure}')
    if view.active and report.busy_s > STUCK_S:
        verdict.warn(f'busy with one frame for {report.busy_s:.0f} s')
    values: dict[str, object] = {
        'provider/requested': view.settings.provider,
        'provider/strict': view.settings.strict_provider,
        'model/requested': view.settings.model,
        'threads': view.settings.threads,
    }
    fine = ''
    if engine is not None:
        for part, session in (('restorer', engine.restorer), ('detector', engine.detector)):
            if session.fell_back:
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
            'model/name': engine.card.name,
            'model/file': engine.card.file,
            'model/precision': engine.card.precision,
            'model/size': engine.card.size,
            'model/iterative': engine.card.iterative,
            'model/sha256': engine.card.sha256,
            'cpu': cpu_kind(),
            **_self_test_values(engine),
        }
        fine = f'{engine.card.name} on {engine.restorer.used}'
    return _status(view, 'engine', verdict, fine, values)


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
    """Return a number with one digit after the point, or nothing for NaN."""
    return '' if math.isnan(value) else f'{value:.1f}'
