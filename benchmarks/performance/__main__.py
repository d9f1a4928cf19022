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

"""Measures the node and what it is made of: `python -m benchmarks.performance`, or `make bench`.

The results go to a file for this kind of CPU, and docs/performance.md is written from the files of
all kinds.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.performance.cases import CASES, SHORT
from benchmarks.performance.cpu import describe_cpu
from benchmarks.performance.node_cases import Bench, Effort
from benchmarks.performance.overlap import measure_overlap
from benchmarks.performance.page import PAGE, RESULTS, write_page
from benchmarks.performance.roof import measure_roof
from benchmarks.performance.vision_stages import measure_stages
from cfrnet_ros.replay.ros_domain import claim_domain


def measure(short: bool) -> dict[str, Any]:
    """Measure everything; `short` shows only that it works."""
    start = time.monotonic()
    machine = describe_cpu()
    load = os.getloadavg()[0]
    # Before any node is started, since both measure one core.
    roof = measure_roof(3 if short else 40)
    stages = measure_stages(6 if short else 60)
    overlap = measure_overlap(1 if short else 3, 4 if short else 16)
    cases = SHORT if short else CASES
    effort = Effort(1, 6, 0.5, 0.0) if short else Effort(4, 60, 2.0, 420.0)
    with tempfile.TemporaryDirectory() as folder:
        nodes = Bench(cases, claim_domain(), Path(folder)).run(effort)
    return {
        'command': 'python -m benchmarks.performance' + (' --short' if short else ''),
        'machine': machine,
        'load_average_1min': round(load, 2),
        'seconds': round(time.monotonic() - start),
        'roof': roof,
        'vision_stages_ms': stages,
        'overlap': overlap,
        'nodes': nodes,
    }


def main() -> int:
    """Run from the command line; returns the exit code."""
    parser = argparse.ArgumentParser(description=(__doc__ or '').splitlines()[0])
    parser.add_argument('--short', action='store_true', help='only show that it works')
    parser.add_argument('--results', type=Path, default=RESULTS, help='folder of the results')
    parser.add_argument('--page', type=Path, default=PAGE, help='page to write the tables into')
    parser.add_argument(
        '--engines',
        type=Path,
        help='Python of an environment with the other engines; see docs/performance.md',
    )
    parser.add_argument('--engine-files', type=Path, default=Path('engine_files'))
    given = parser.parse_args()
    # What the Makefile sets, for those who start this module by hand.
    os.environ.setdefault('RMW_IMPLEMENTATION', 'rmw_fastrtps_cpp')
    found = measure(given.short)
    kind = found['machine']['kind']
    given.results.mkdir(parents=True, exist_ok=True)
    path = given.results / f'performance_{kind}.json'
    path.write_text(json.dumps(found, indent=1) + '\n', encoding='utf-8')
    if given.engines is not None:
        command = [given.engines, '-m', 'benchmarks.engines', '--files', given.engine_files]
        out = given.results / f'engines_{kind}.json'
        subprocess.run([*map(str, command), '--out', str(out)], check=True)
    write_page(given.results, given.page)
    print(f'{path}, {given.page}: {found["seconds"]} s')
    return 0


if __name__ == '__main__':
    sys.exit(main())
