"""Builds the node's three diagnostic statuses: input, restoration and engine."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

from diagnostic_msgs.msg import DiagnosticStatus, KeyValue

from cfrnet_ros.node.engine import Engine
from cfrnet_ros.node.face_report import face_values, value_text
from cfrnet_ros.node.monitor import Report
from cfrnet_ros.node.parameters import Settings
from cfrnet_ros.vision.engine.cpu import cpu_kind
from cfrnet_ros.vision.quality.face_quality import LIMITS, NOT_UPRIGHT
from cfrnet_ros.vision.stages import Stage

#: Age in milliseconds above which stamps are assumed to come from another clock.
FOREIGN_CLOCK_MS = 3600e3
#: Processing time of one frame, in seconds, above which the engine status is ERROR.
STUCK_S = 10.0

ACTIVE = 'active'


@dataclass(frozen=True)
class View:
    """Everything that the statuses are built from.

    Attributes:
        node_name: Fully qualified name of the node without the leading slash. The names of the
            statuses begin with it.
        hardware_id: Value of `hardware_id` in the statuses.
        lifecycle_state: Label of the lifecycle state, for instance 'active'.
        topic: Resolved name of the topic with the images.
        publishers: Number of publishers on that topic.
        settings: Current parameters.
        report: Current figures of the monitor.
        engine: Loaded engine, None while none is loaded.
        transition_error: Failure of the last lifecycle transition with its reason, such as
            'not configured: no such model'; '' if it succeeded.
        warnings: Findings about the surroundings of the node, see `surroundings`.
        silence: Reason why no image arrives, see `publisher_check.explain_silence`; '' while
            images arrive.
        enabled: Whether the node works while it is active; False after a call of `~/enable`.

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
    warnings: Sequence[str] = ()
    enabled: bool = True

    @property
    def active(self) -> bool:
        """Whether the node is active and enabled, so that frames are expected."""
        return self.lifecycle_state == ACTIVE and self.enabled


@dataclass
class _Verdict:
    """Collects findings. The most serious one sets the level; the message lists all of them."""

    level: int = 0
    findings: list[str] = field(default_factory=list)

    def warn(self, text: str) -> None:
        self.level = max(self.level, 1)
        self.findings.append(text)

    def error(self, text: str) -> None:
        self.level = 2
        # Errors come first, since viewers cut long messages.
        self.findings.insert(0, text)


_LEVELS = (DiagnosticStatus.OK, DiagnosticStatus.WARN, DiagnosticStatus.ERROR)


def build_statuses(view: View) -> list[DiagnosticStatus]:
    """Build the statuses of the node.

    Args:
        view: Current state of the node.

    Returns:
        Statuses 'NODE: restoration', 'NODE: input' and 'NODE: engine', where NODE is the node's
        name. All three are always present, so that an aggregator never marks one as stale.

    """
    return [_restoration(view), _input(view), _engine(view)]


def _status(
    view: View, part: str, verdict: _Verdict, fine: str, values: dict[str, object]
) -> DiagnosticStatus:
    values = {'lifecycle_state': view.lifecycle_state, 'enabled': view.enabled, **values}
    idle = view.lifecycle_state if view.enabled else f'{view.lifecycle_state}, disabled by ~/enable'
    return DiagnosticStatus(
        level=_LEVELS[verdict.level],
        name=f'{view.node_name}: {part}',
        message='; '.join(verdict.findings) or (fine if view.active else idle),
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
                f'no image on {view.topic} for {silent_s:.1f} s (number of publishers:'
                f' {view.publishers})'
            )
            if view.silence:
                verdict.error(view.silence)
        for warning in view.warnings:
            verdict.warn(warning)
        if report.drop_share > settings.diagnostics_drop_warn_share:
            verdict.warn(f'{report.drop_share:.0%} of the frames were dropped for newer ones')
        if report.recent_rejected:
            causes = ', '.join(f'{n} {cause}' for cause, n in report.recent_rejected.items())
            verdict.warn(f'rejected frames among {report.recent_received} received: {causes}')
    values: dict[str, object] = {
        'topic': view.topic,
        'transport': settings.image_transport,
        'publishers': view.publishers,
        'rate/input_hz': report.input_hz,
        'frames/received': counts.received,
        'frames/lost': counts.lost,
        'frames/processed': counts.processed,
        'frames/dropped': counts.dropped,
        'frames/skipped': counts.skipped,
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
        # Without images no face can be found; the input status reports that as its error.
        watching = (
            report.since_processed_s is not None
            and report.since_processed_s < settings.diagnostics_no_face_warn_s
        )
        faceless_s = report.active_s if report.since_face_s is None else report.since_face_s
        if watching and faceless_s > settings.diagnostics_no_face_warn_s:
            verdict.warn(f'no face for {faceless_s:.1f} s')
        if report.recent_faces and sum(report.recent_refused.values()) == report.recent_faces:
            verdict.warn(_all_refused(report, settings))
        if age is not None and age.p95 > FOREIGN_CLOCK_MS:
            verdict.warn(
                f'the images appear to be {age.p95 / 3600e3:.1f} h old, so their stamps come from'
                ' another clock; if a bag is replayed, set use_sim_time'
            )
        elif age is not None and age.p95 > settings.diagnostics_age_warn_ms:
            verdict.warn(
                f'age p95 {age.p95:.0f} ms is above diagnostics.age_warn_ms ='
                f' {settings.diagnostics_age_warn_ms:.0f} ms'
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


def _all_refused(report: Report, settings: Settings) -> str:
    """Say why no face in the window was restored, with the limits that refused them."""
    reasons = ', '.join(
        f'{number} {reason} ({LIMITS[reason]} {getattr(settings, LIMITS[reason]):g})'
        for reason, number in report.recent_refused.items()
    )
    window_s = min(settings.diagnostics_window_s, report.active_s)
    remedy = ''
    if NOT_UPRIGHT in report.recent_refused:
        remedy = '; if the camera is mounted upside down or on its side, set camera_rotation'
    return (
        f'all of {report.recent_faces} faces in the last {window_s:.0f} s were passed on'
        f' unrestored: {reasons}{remedy}'
    )


def _engine(view: View) -> DiagnosticStatus:
    report, engine = view.report, view.engine
    verdict = _Verdict()
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
            'model/precision_reason': engine.precision_reason,
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
    """Format a number with one digit after the decimal point, or as '' if it is NaN."""
    return '' if math.isnan(value) else f'{value:.1f}'
