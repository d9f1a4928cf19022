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

"""A rate of frames that is too low for blinks is reported, and the help explains the node."""

from __future__ import annotations

import pytest
from diagnostic_msgs.msg import DiagnosticStatus

from examples.eyelids.eyelid_node import PARAMETERS, main
from examples.eyelids.eyelid_report import eyelid_status
from examples.eyelids.monitor import EyelidMonitor


def status_at(rate_hz: float, frames: int = 60) -> DiagnosticStatus:
    """Return the status of open eyes after a number of frames."""
    monitor = EyelidMonitor()
    readings = [monitor.add(number / rate_hz, 0.3) for number in range(frames)]
    return eyelid_status('eyelids', 1, readings[-1], 0.15)


@pytest.mark.parametrize('rate_hz', [10.5, 15.0, 30.0])
def test_a_usual_rate_is_ok(rate_hz: float) -> None:
    status = status_at(rate_hz)
    assert status.level == DiagnosticStatus.OK
    values = {item.key: item.value for item in status.values}
    assert float(values['rate_hz']) == pytest.approx(rate_hz, abs=0.01)


def test_a_low_rate_tells_what_it_does_to_blinks_and_perclos() -> None:
    status = status_at(3.8)
    assert status.level == DiagnosticStatus.WARN
    assert '3.8 frames per second: blinks shorter than 0.26 s can be missed' in status.message
    assert 'PERCLOS is inaccurate' in status.message


def test_below_two_frames_per_second_nothing_is_measured_and_that_is_told() -> None:
    status = status_at(1.5, 12)
    assert status.level == DiagnosticStatus.WARN
    assert 'PERCLOS and longer closures are not measured' in status.message
    assert 'perclos' not in {item.key for item in status.values}


def test_the_first_frames_are_no_low_rate() -> None:
    assert status_at(30.0, 3).level == DiagnosticStatus.OK


def test_help_is_printed_and_starts_no_node(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(['--help']) == 0
    printed = capsys.readouterr().out
    for name, (default, descriptor) in PARAMETERS.items():
        assert f'{name}:={default}' in printed
        assert descriptor.description in printed


def test_a_parameter_out_of_range_is_told_without_a_traceback(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(['--ros-args', '-p', 'window_s:=5.0']) == 1
    printed = capsys.readouterr().err
    assert 'cannot start: ' in printed
    assert 'window_s' in printed
    assert '(10 to 600)' in printed
