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

"""Texts of a bag and of the command line are shown in the report as they are, not as HTML."""

from __future__ import annotations

from pathlib import Path

from replays import play

from cfrnet_ros.replay.report import ReportOptions, write_report
from demo.bag_frames import CONDITION_TOPIC, CameraBag
from demo.scene import Scene

SCRIPT = '<script>alert("a&b")</script>'
IMAGE = '<img src=x onerror=alert(1)>'


def test_html_in_labels_titles_and_names_of_bags_is_escaped(tmp_path: Path) -> None:
    path = tmp_path / 'bag <b>bold'
    with CameraBag(path) as bag:
        for index in range(3):
            clean = Scene(3).frame(index / 5)
            if index == 0:
                bag.label(10**18, IMAGE)
            bag.frame(10**18 + index * 10**8, clean, clean)
    played = play(path, tmp_path / 'out', cycles=(1,))
    report = tmp_path / 'out/report.html'
    options = ReportOptions(title=SCRIPT, intro=f'{path}', label_topic=CONDITION_TOPIC)
    write_report(played.log, played.results, report, options)
    page = report.read_text(encoding='utf-8')
    assert '&lt;script&gt;alert(' in page
    assert 'bag &lt;b&gt;bold' in page
    for raw in (SCRIPT, IMAGE, '<script', 'bag <b>'):
        assert raw not in page
