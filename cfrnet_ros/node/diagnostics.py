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

"""Builds the node's three diagnostic statuses: input, restoration and engine."""

from __future__ import annotations

from diagnostic_msgs.msg import DiagnosticStatus

from cfrnet_ros.node.diagnostic_parts import Verdict, View, make_status
from cfrnet_ros.node.engine_status import engine_status
from cfrnet_ros.node.face_report import face_values
from cfrnet_ros.node.monitor import Report
from cfrnet_ros.node.parameters import Settings
from cfrnet_ros.vision.quality.face_quality import LIMITS, NOT_UPRIGHT
from cfrnet_ros.vision.stages import Stage

#: Age in milliseconds above which stamps are assumed to come from another clock.
FOREIGN_CLOCK_MS = 3600e3


def build_statuses(view: View) -> list[DiagnosticStatus]:
    """Build the statuses of the node.

    Args:
        view: Current state of the node.

    Returns:
        Statuses 'NODE: restoration', 'NODE: input' and 'NODE: engine', where NODE is the node's
        name. All three are always present, so that an aggregator never marks one as stale.

    """
    return [_restoration(view), _input(view), engine_status(view)]


def _input(view: View) -> DiagnosticStatus:
    report, settings = view.report, view.settings
    counts = report.counts
    verdict = Verdict()
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
    return make_status(view, 'input', verdict, f'{report.input_hz:.1f} Hz', values)


def _restoration(view: View) -> DiagnosticStatus:
    report, settings = view.report, view.settings
    counts = report.counts
    verdict = Verdict()
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
        if report.recent_eyes_flagged:
            window_s = min(settings.diagnostics_window_s, report.active_s)
            verdict.warn(
                f'the eyes of {report.recent_eyes_flagged} of {report.recent_faces} faces in the'
                f' last {window_s:.0f} s came out of restoration changed by more than'
                f' max_eye_change = {settings.max_eye_change:g}'
            )
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
        'faces/eyes_flagged': counts.eyes_flagged,
        **({'faces/fine': counts.fine} if settings.fine_stage else {}),
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
    return make_status(view, 'restoration', verdict, fine, values)


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
