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

"""Writing the pages and plots of a folder of figures."""

from __future__ import annotations

import json
from pathlib import Path

from training.experiments.systems.measuring.report import read_report
from training.experiments.systems.pages import comparison_page, deployability_page, plots


def write_pages(docs: Path) -> list[Path]:
    """Write `comparison.md`, `deployability.md` and, where rows are trained, the plots.

    Args:
        docs: Folder with `comparison.json` and, if an NPU compiler was asked,
            `deployability.json`.

    Returns:
        The files' paths.

    Raises:
        FileNotFoundError: There is no `comparison.json`.
        ValueError: `comparison.json` is damaged or of another version.

    """
    report = read_report(docs / 'comparison.json')
    npu = docs / 'deployability.json'
    answers = json.loads(npu.read_text(encoding='utf-8')) if npu.is_file() else None
    pages = {
        docs / 'comparison.md': comparison_page.render(report, answers),
        docs / 'deployability.md': deployability_page.render(report, answers),
    }
    for path, text in pages.items():
        path.write_text(text, encoding='utf-8')
    written = list(pages)
    if any(row.training is not None for row in report.rows.values()):
        images = docs / 'images'
        plots.quality_against_latency(report, images / 'systems_quality.png')
        plots.quality_by_cycle(report, images / 'systems_cycles.png')
        written += [images / 'systems_quality.png', images / 'systems_cycles.png']
    return written
