#!/usr/bin/env python3
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

"""Change cfrnet_ros/vision in small ways and count how many of the changes a test notices.

`make mutation` runs this: mutmut makes the mutants of the modules below in a copy of the repository
under build/mutation, a sample of them is drawn by a seed, and each is tried with the unit tests
that reach it. docs/mutation.json lists the results, with the differences of the survivors.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
WORK = ROOT / 'build/mutation'
VISION = 'cfrnet_ros/vision'
#: Modules that decide something and whose unit tests take milliseconds. Others run networks.
MODULES = (
    'camera_rotation.py',
    'preprocessing/align.py',
    'quality/upright.py',
    'restoration/budget.py',
    'restoration/fusion.py',
    'restoration/reuse.py',
    'restoration/temporal.py',
    'tracking/face_choice.py',
    'tracking/landmark_filter.py',
    'views/crop_geometry.py',
)
TESTS = (
    'test/vision/preprocessing',
    'test/vision/restoration/test_budget.py',
    'test/vision/restoration/test_fusion.py',
    'test/vision/restoration/test_reuse.py',
    'test/vision/restoration/test_temporal.py',
    'test/vision/tracking/test_face_choice.py',
    'test/vision/tracking/test_landmark_filter.py',
    'test/vision/quality/test_upright.py',
    'test/vision/views/test_crop_geometry.py',
    'test/vision/test_camera_rotation.py',
    'test/fuzz/test_properties.py',
)
COPIED = ('cfrnet_ros', 'test', 'demo', 'benchmarks', 'config', 'setup.py', 'package.xml')
#: Meaning of the exit code that mutmut notes for a mutant; others end it in other ways.
STATUS = {0: 'survived', 1: 'killed', 3: 'killed', 33: 'no tests', 34: 'skipped', 36: 'timeout'}
#: One thread each: a pool of threads does not survive the fork by which mutmut starts a mutant.
ENVIRONMENT = {'OMP_NUM_THREADS': '1', 'OPENCV_FOR_THREADS_NUM': '1', 'FUZZ_EXAMPLES': '20'}


def mutmut(*arguments: str, quiet: bool = False) -> str:
    """Run mutmut in the copy; return its output, or print it as it comes."""
    done = subprocess.run(
        [sys.executable, '-W', 'ignore', '-m', 'mutmut', *arguments],
        cwd=WORK,
        env={**os.environ, **ENVIRONMENT},
        stdout=subprocess.PIPE if quiet else None,
        text=True,
    )
    return done.stdout or ''


def prepare() -> None:
    """Copy what the tests need, and write mutmut's settings."""
    shutil.rmtree(WORK, ignore_errors=True)
    WORK.mkdir(parents=True)
    for name in COPIED:
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
        copy(ROOT / name, WORK / name)
    settings = {
        'source_paths': [f'{VISION}/{module}' for module in MODULES],
        'pytest_add_cli_args_test_selection': list(TESTS),
        'also_copy': [*COPIED, 'pyproject.toml'],
    }
    lines = [f'{key} = {json.dumps(value)}' for key, value in settings.items()]
    text = (ROOT / 'pyproject.toml').read_text(encoding='utf-8')
    (WORK / 'pyproject.toml').write_text('\n'.join([text, '[tool.mutmut]', *lines, '']))


def exit_codes(work: Path) -> dict[str, dict[str, int | None]]:
    """Return the exit code of each mutant by name, for each module; None if it was not tried."""
    found = {}
    for module in MODULES:
        file = work / 'mutants' / VISION / f'{module}.meta'
        if file.exists():
            found[module] = json.loads(file.read_text())['exit_code_by_key']
    return found


def difference(name: str) -> list[str]:
    """Return the lines that a mutant changes, with - and + before them."""
    lines = mutmut('show', name, quiet=True).splitlines()
    return [li for li in lines if li[:1] in '-+' and not li.startswith(('---', '+++')) and li[1:]]


def results(sample: set[str], seed: int) -> dict[str, Any]:
    """Return what became of the sample."""
    modules: dict[str, dict[str, int]] = {}
    survivors: dict[str, list[str]] = {}
    for module, codes in exit_codes(WORK).items():
        counts = modules[module] = {'mutants': len(codes), 'tried': 0}
        for name, code in codes.items():
            if name not in sample or code is None:
                continue
            status = STATUS.get(code, 'killed')
            counts['tried'] += 1
            counts[status] = counts.get(status, 0) + 1
            if status == 'survived':
                survivors[name] = difference(name)
    totals = {
        key: sum(counts.get(key, 0) for counts in modules.values())
        for key in ('mutants', 'tried', 'killed', 'timeout', 'survived', 'no tests')
    }
    made = time.strftime('%Y-%m-%d')
    return {
        'made': made,
        'seed': seed,
        **totals,
        'modules': modules,
        'survivors': survivors,
    }


def main() -> int:
    """Make, draw and try the mutants; return the exit code."""
    parser = argparse.ArgumentParser(description=(__doc__ or '').splitlines()[0])
    parser.add_argument('--mutants', type=int, default=300, help='number of mutants to try')
    parser.add_argument('--seed', type=int, default=1)
    parser.add_argument('--out', type=Path, default=ROOT / 'docs/mutation.json')
    parser.add_argument('--keep', action='store_true', help='go on with what was tried before')
    given = parser.parse_args()
    if not given.keep:
        prepare()
        # A first run of one module makes the mutants of all.
        mutmut('run', '--max-children', '1', 'cfrnet_ros.vision.restoration.reuse*')
    names = sorted(name for codes in exit_codes(WORK).values() for name in codes)
    if not names:
        print('error: mutmut made no mutants; see its output above', file=sys.stderr)
        return 1
    sample = sorted(random.Random(given.seed).sample(names, min(given.mutants, len(names))))
    mutmut('run', '--max-children', '1', *sample)
    found = results(set(sample), given.seed)
    given.out.write_text(json.dumps(found, indent=1) + '\n', encoding='utf-8')
    print(f'{found["killed"]} of {found["tried"]} killed, {found["survived"]} survived')
    return 0


if __name__ == '__main__':
    sys.exit(main())
