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

"""Blink benchmark: one filmed scene is measured with several strengths."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks import blink_detection
from benchmarks.blink_detection import CASES, Case, main
from benchmarks.blink_detection_figures import Recording


def test_each_strength_needs_a_file(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(['--strength', '1.0', '0.5', '--out', 'one.json'])
    assert '--out needs a file for each value of --strength' in capsys.readouterr().err


def test_figures_of_each_strength_go_to_its_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recorded: dict[str, object] = {}

    def run(cases: list[Case], *given: object) -> list[dict[Case, list[Recording]]]:
        recorded['strengths'] = given[-1]
        return [{case: [] for case in cases} for _ in range(2)]

    monkeypatch.setattr(blink_detection, 'run', run)
    monkeypatch.setattr(blink_detection, 'summarise', lambda recordings, *_: {'n': len(recordings)})
    monkeypatch.setattr(blink_detection, 'tables', lambda result: str(result))
    files = [tmp_path / 'whole.json', tmp_path / 'half.json']
    assert main(['--strength', '1.0', '0.5', '--out', *map(str, files)]) == 0
    assert recorded['strengths'] == [1.0, 0.5]
    texts = [file.read_text(encoding='utf-8') for file in files]
    assert '"strength"' not in texts[0]
    assert '"strength": 0.5' in texts[1]
    assert f'"n": {len(CASES)}' in texts[1]
