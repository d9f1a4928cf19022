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

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from diagnostic_msgs.msg import DiagnosticStatus
from node_harness import values_of
from node_models import miscompiled_model

from cfrnet_ros.node.diagnostic_parts import View
from cfrnet_ros.node.diagnostics import build_statuses
from cfrnet_ros.node.engine import load_engine
from cfrnet_ros.node.monitor import Monitor
from cfrnet_ros.node.parameters import Settings
from cfrnet_ros.vision.frame_record import FrameRecord
from cfrnet_ros.vision.quality.face_quality import REASONS
from cfrnet_ros.vision.stages import Stage

ROOT = Path(__file__).resolve().parents[2]
OK, WARN, ERROR = DiagnosticStatus.OK, DiagnosticStatus.WARN, DiagnosticStatus.ERROR
RECORD = FrameRecord(
    stages_ms={
        Stage.AGE: 20.0,
        Stage.RESTORE_CYCLE_8: 3.0,
        Stage.RESTORE_CYCLE_2: 2.0,
        Stage.QUALITY: 2.0,
        Stage.DECODE: 1.0,
    },
    passed_on=1,
    cycles_asked=2,
    cycles_used=2,
    residuals=(0.2, 0.1),
)


@pytest.fixture(scope='module')
def view(halving_model: Path) -> View:
    """State of an active node with a loaded engine and one processed frame."""
    settings = Settings(model=str(halving_model))
    monitor = Monitor()
    monitor.activated()
    monitor.queued()
    monitor.taken()
    monitor.processed(RECORD)
    return View(
        node_name='cabin/cfrnet',
        hardware_id='camera_1',
        lifecycle_state='active',
        topic='/cam',
        publishers=1,
        settings=settings,
        report=monitor.report(10.0),
        engine=load_engine(settings),
        transition_error='',
    )


def levels(view: View) -> tuple[bytes, ...]:
    """Levels of restoration, input and engine."""
    return tuple(status.level for status in build_statuses(view))


def test_statuses_of_a_healthy_node_are_ok(view: View) -> None:
    statuses = build_statuses(view)
    assert levels(view) == (OK, OK, OK)
    assert [status.name for status in statuses] == [
        'cabin/cfrnet: restoration',
        'cabin/cfrnet: input',
        'cabin/cfrnet: engine',
    ]
    assert all(status.hardware_id == 'camera_1' and status.message for status in statuses)
    keys = list(values_of(statuses[0]))
    stages = ('decode', 'quality', 'restore_cycle_2', 'restore_cycle_8', 'age')
    order = [f'latency/{stage}/p50_ms' for stage in stages]
    assert sorted(order, key=keys.index) == order


def test_each_fault_sets_level_and_message_of_its_status(view: View) -> None:
    report = view.report
    old = replace(report.latency[Stage.AGE], p95=301.0)
    troubles: list[tuple[View, int, bytes, str]] = [
        (replace(view, report=replace(report, since_image_s=2.5)), 1, ERROR, '/cam'),
        (replace(view, report=replace(report, drop_share=0.9)), 1, WARN, '90%'),
        (
            replace(view, report=replace(report, recent_rejected={'corrupt': 3})),
            1,
            WARN,
            '3 corrupt',
        ),
        (replace(view, report=replace(report, since_face_s=6.0)), 0, WARN, 'no face'),
        (replace(view, report=replace(report, latency={Stage.AGE: old})), 0, WARN, '301 ms'),
        (
            replace(view, report=replace(report, latency={Stage.AGE: replace(old, p95=1e8)})),
            0,
            WARN,
            'use_sim_time',
        ),
        (replace(view, report=replace(report, failure='NaN')), 2, ERROR, 'NaN'),
        (replace(view, report=replace(report, busy_s=30.0)), 2, ERROR, 'for 30 s'),
        (replace(view, transition_error='not configured: no file'), 2, ERROR, 'no file'),
    ]
    for troubled, index, level, part in troubles:
        status = build_statuses(troubled)[index]
        assert status.level == level, part
        assert part in status.message
        others = [at for at in range(3) if at != index]
        assert [levels(troubled)[at] for at in others] == [OK, OK], part


def test_restoration_warns_of_eyes_that_changed(view: View) -> None:
    monitor = Monitor()
    monitor.activated()
    for flagged in (0, 1, 0):
        monitor.queued()
        monitor.taken()
        monitor.processed(replace(RECORD, eyes_flagged=flagged))
    report = replace(monitor.report(10.0), active_s=60.0)
    status = build_statuses(replace(view, report=report))[0]
    assert status.level == WARN
    assert status.message == (
        'the eyes of 1 of 3 faces in the last 10 s came out of restoration changed by more than'
        ' max_eye_change = 0.1'
    )
    assert values_of(status)['faces/eyes_flagged'] == '1'
    # The total is kept over an activation, the warning is not.
    monitor.activated()
    status = build_statuses(replace(view, report=monitor.report(10.0)))[0]
    assert 'eyes' not in status.message
    assert values_of(status)['faces/eyes_flagged'] == '1'


def test_restoration_warns_while_all_faces_are_refused(view: View) -> None:
    monitor = Monitor()
    monitor.activated()

    def after(record: FrameRecord, times: int) -> DiagnosticStatus:
        for _ in range(times):
            monitor.queued()
            monitor.taken()
            monitor.processed(record)
        # Later than the window is long, so that the message names the window.
        report = replace(monitor.report(10.0), active_s=60.0)
        return build_statuses(replace(view, report=report))[0]

    status = after(replace(RECORD, refused={'too_small': 1}), 30)
    assert status.level == WARN
    assert status.message == (
        'all of 30 faces in the last 10 s were passed on unrestored: 30 too_small (min_face_px 24)'
    )
    status = after(replace(RECORD, passed_on=len(REASONS), refused=dict.fromkeys(REASONS, 1)), 1)
    assert status.level == WARN
    assert '31 too_small (min_face_px 24), 1 too_dark (min_brightness 5),' in status.message
    # Frames without a face change nothing.
    assert after(replace(RECORD, passed_on=0), 1).level == WARN
    # One restored face in the window suffices, beside a refused one.
    assert after(replace(RECORD, passed_on=2, refused={'turned': 1}), 1).level == OK
    # Faces from before an activation do not count.
    after(replace(RECORD, refused={'turned': 1}), 1)
    monitor.activated()
    assert 'unrestored' not in after(replace(RECORD, passed_on=0), 1).message


def test_provider_fallback_is_a_warning(view: View) -> None:
    assert view.engine is not None
    session = replace(
        view.engine.restorer, requested='openvino', fell_back=True, reason='no such device'
    )
    fallen = replace(view, engine=replace(view.engine, restorer=session))
    status = build_statuses(fallen)[2]
    assert status.level == WARN
    assert 'cpu instead of openvino: no such device' in status.message
    values = values_of(status)
    assert (values['provider/requested'], values['provider/used']) == ('openvino', 'cpu')


def test_engine_status_contains_the_self_test_of_a_shipped_model(view: View) -> None:
    status = build_statuses(replace(view, engine=load_engine(Settings(threads=1))))[2]
    assert status.level == OK
    values = values_of(status)
    assert values['self_test/verdict'] == 'passed'
    assert float(values['self_test/k1_db']) > float(values['self_test/limit_db'])
    assert float(values['self_test/k3_db']) > float(values['self_test/limit_db'])
    assert 0 < int(values['self_test/worst_pixel_levels']) < 64
    assert float(values['self_test/cycle_ms']) > 0
    assert values['self_test/rejected'] == ''
    assert values['cpu']


def test_failed_self_test_is_a_warning(view: View, tmp_path: Path) -> None:
    model = miscompiled_model(tmp_path / 'm.onnx')
    engine = load_engine(Settings(model=str(model), self_test='warn'))
    status = build_statuses(replace(view, engine=engine))[2]
    assert status.level == WARN
    assert 'self-test failed' in status.message
    assert values_of(status)['self_test/verdict'] == 'failed'


def test_model_without_golden_crops_is_ok(view: View) -> None:
    status = build_statuses(view)[2]
    assert status.level == OK
    values = values_of(status)
    assert values['self_test/verdict'] == 'skipped'
    assert values['self_test/cycle_ms'] == ''


def test_inactive_node_is_ok_without_images(view: View) -> None:
    silent = replace(view.report, since_image_s=99.0, since_face_s=99.0, drop_share=1.0)
    inactive = replace(view, lifecycle_state='inactive', report=silent)
    assert levels(inactive) == (OK, OK, OK)
    assert {status.message for status in build_statuses(inactive)} == {'inactive'}


@pytest.mark.parametrize(
    ('file', 'nodes'),
    [
        ('analyzers.yaml', ['/cfrnet']),
        ('analyzers_two_cameras.yaml', ['/left/cfrnet', '/right/cfrnet']),
    ],
)
def test_each_group_of_the_analyzers_matches_the_statuses_of_one_node(
    file: str, nodes: list[str], view: View
) -> None:
    config = yaml.safe_load((ROOT / 'config' / file).read_text(encoding='utf-8'))
    entries = config['/**']['ros__parameters'].values()
    groups = [entry['startswith'] for entry in entries if isinstance(entry, dict)]
    assert len(groups) == len(nodes)
    # As RestorerNode names its statuses.
    names = [
        [s.name for s in build_statuses(replace(view, node_name=node.lstrip('/')))]
        for node in nodes
    ]
    for number, group in enumerate(groups):
        for other, statuses in enumerate(names):
            matches = [name.startswith(tuple(group)) for name in statuses]
            assert matches == [number == other] * 3
