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

"""Diagnostics, `~/frame/status` and replay report every stage of `Stage`, a new one included."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from diagnostic_msgs.msg import DiagnosticStatus
from node_harness import ROOT, values_of
from rclpy.serialization import serialize_message
from std_msgs.msg import Header

from cfrnet_ros.node.frame_report import record_of, to_frame_msg
from cfrnet_ros.replay.reports import parse_frame
from cfrnet_ros.vision.frame_record import FrameRecord
from cfrnet_ros.vision.stages import Stage

#: Script that adds a member to `Stage`, then reports a frame in every way that exists.
ONE_MORE_STAGE = """
import importlib.util, json, sys, types
from pathlib import Path

found = importlib.util.find_spec('cfrnet_ros.vision.stages')
source = Path(found.origin).read_text(encoding='utf-8')
before = "    QUALITY = 'quality'\\n"
assert source.count(before) == 1
stages = types.ModuleType(found.name)
sys.modules[found.name] = stages
exec(compile(source.replace(before, before + "    POLISH = 'polish'\\n"), found.origin, 'exec'),
     vars(stages))

from rclpy.serialization import serialize_message
from std_msgs.msg import Header
from cfrnet_ros.node.diagnostic_parts import View
from cfrnet_ros.node.diagnostics import build_statuses
from cfrnet_ros.node.frame_report import to_frame_msg
from cfrnet_ros.node.monitor import Monitor
from cfrnet_ros.node.parameters import Settings
from cfrnet_ros.replay.frames import PROCESSED, FrameRow
from cfrnet_ros.replay.player import PlayedFrame
from cfrnet_ros.replay.plots import colour_of
from cfrnet_ros.replay.reports import parse_frame
from cfrnet_ros.replay.tables import write_frames
from cfrnet_ros.vision.frame_record import FrameRecord

clock = stages.StageClock()
clock.add_cycles((2.0, 3.0))
with clock(stages.Stage.POLISH):
    pass
clock.add(stages.Stage.QUALITY, 1.0)
record = FrameRecord(clock.stages_ms)

monitor = Monitor()
monitor.activated()
monitor.queued()
monitor.taken()
monitor.processed(record)
settings = Settings()
view = View('n', 'h', 'active', '/t', 1, settings, monitor.report(10.0), None, '')
message = to_frame_msg('n', Header(), record)
report = parse_frame(serialize_message(message))
frame = PlayedFrame(0, 0, 0, 0, 0)
row = FrameRow(0, 2, frame, 0.0, PROCESSED, '', report, [], 0.0, 0.0)
table = Path(sys.argv[1])
write_frames(table, [row])
print(json.dumps({
    'diagnostics': [v.key for v in build_statuses(view)[0].values],
    'status': [v.key for v in message.status[0].values],
    'table': table.read_text().splitlines()[0].split(','),
    'colour': colour_of(stages.Stage.POLISH),
}))
"""


def test_new_stage_needs_only_a_member_of_the_enumeration(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, '-c', ONE_MORE_STAGE, str(tmp_path / 'frames.csv')],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    for where, form in (
        ('diagnostics', 'latency/{}/p50_ms'),
        ('status', 'latency/{}_ms'),
        ('table', '{}_ms'),
    ):
        expected = [
            form.format(name)
            for name in ('quality', 'polish', 'restore_cycle_1', 'restore_cycle_2')
        ]
        assert [key for key in told[where] if key in expected] == expected, where
    assert told['colour'].startswith('#')


def test_frame_status_round_trips_the_frame_record() -> None:
    record = FrameRecord(
        {stage: 0.5 + place for place, stage in enumerate(Stage)},
        passed_on=3,
        restored=2,
        reused=1,
        cycles_asked=4,
        cycles_allowed=3,
        cycles_used=2,
    )
    status = to_frame_msg('cfrnet', Header(), record).status[0]
    assert status.level == DiagnosticStatus.OK
    assert set(values_of(status)) == {
        'faces/crops',
        'faces/restored',
        'faces/reused',
        'cycles/asked',
        'cycles/allowed',
        'cycles/used',
        *(f'latency/{stage.value}_ms' for stage in Stage if stage is not Stage.AGE),
    }
    told = record_of(values_of(status))
    assert told.stages_ms == {s: ms for s, ms in record.stages_ms.items() if s is not Stage.AGE}
    # A number that the message does not contain is unknown, not 0.
    assert told.found is None
    names = ('passed_on', 'restored', 'reused', 'cycles_asked', 'cycles_allowed', 'cycles_used')
    for name in names:
        assert getattr(told, name) == getattr(record, name), name


def test_status_of_a_rejected_frame_has_its_cause_and_no_counts() -> None:
    message = to_frame_msg('cfrnet', Header(), FrameRecord({Stage.WAIT: 1.5}), 'corrupt: torn')
    assert values_of(message.status[0]) == {'latency/wait_ms': '1.500'}
    report = parse_frame(serialize_message(message))
    assert report.rejected == 'corrupt: torn'
    assert report.record.stages_ms == {Stage.WAIT: 1.5}


def test_frame_message_without_a_status_is_refused() -> None:
    message = to_frame_msg('cfrnet', Header(), FrameRecord({}))
    message.status = []
    with pytest.raises(ValueError, match='expected one status'):
        parse_frame(serialize_message(message))
