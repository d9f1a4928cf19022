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

"""Fuzzes a target of this folder guided by coverage: `make fuzz-guided`.

atheris chooses the bytes from which hypothesis draws the inputs, and keeps those that reach new
code of cfrnet_ros. The inputs are therefore as well-formed as in `make fuzz`.

    python test/fuzz/guided.py [--runs 20000] [TARGET ...]
"""

from __future__ import annotations

import argparse
import contextlib
import datetime
import importlib
import json
import os
import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
#: Targets that need no fixture of pytest, by module.
TARGETS = {
    'test_fuzz_images': (
        'test_an_image_is_decoded_or_refused_with_a_cause',
        'test_a_compressed_image_is_decoded_or_refused_with_a_cause',
        'test_bytes_that_are_no_picture_are_refused',
        'test_intrinsics_of_any_values_give_those_of_the_crop',
        'test_a_bad_image_does_not_spoil_the_next_one',
    ),
    'test_fuzz_files': (
        'test_a_value_of_a_parameter_is_accepted_or_refused',
        'test_overrides_give_values_and_problems',
        'test_arguments_of_the_node_are_accepted_or_refused',
        'test_every_error_at_start_is_explained',
        'test_a_frame_status_is_read_or_refused',
    ),
}


def fuzz(target: str, runs: int) -> None:
    """Fuzz one target in this process, which atheris ends with exit code 0 if nothing fails."""
    import atheris

    sys.path[:0] = [str(ROOT), str(HERE), str(ROOT / 'test/helpers')]
    with atheris.instrument_imports(include=['cfrnet_ros']):
        (module,) = (name for name, targets in TARGETS.items() if target in targets)
        test = getattr(importlib.import_module(module), target)
    fuzz_one = test.hypothesis.fuzz_one_input
    atheris.Setup(
        [sys.argv[0], f'-runs={runs}', '-timeout=60', '-rss_limit_mb=4096', '-print_final_stats=1'],
        fuzz_one,
    )
    atheris.Fuzz()


def main() -> int:
    """Fuzz each target in a process of its own; return the exit code."""
    names = [name for targets in TARGETS.values() for name in targets]
    parser = argparse.ArgumentParser(description=(__doc__ or '').splitlines()[0])
    parser.add_argument('targets', nargs='*', metavar='TARGET', default=names, help=f'of {names}')
    parser.add_argument('--runs', type=int, default=20_000, help='number of inputs for each target')
    parser.add_argument('--out', type=Path, help='JSON file for the result')
    parser.add_argument('--here', action='store_true', help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.here:
        fuzz(given.targets[0], given.runs)
        return 0
    found = {}
    for name in given.targets:
        start = time.monotonic()
        command = [sys.executable, __file__, '--here', '--runs', str(given.runs), name]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, env=os.environ)
        figures = {}
        for line in done.stderr.splitlines():
            if line.startswith('stat::'):
                key, _, value = line.removeprefix('stat::').partition(':')
                with contextlib.suppress(ValueError):
                    figures[key.strip()] = int(value)
        found[name] = {
            'inputs': figures.get('number_of_executed_units', 0),
            'seconds': round(time.monotonic() - start, 1),
            'exit_code': done.returncode,
        }
        print(name, found[name], flush=True)
        if done.returncode:
            print(done.stdout[-3000:], done.stderr[-6000:], sep='\n', file=sys.stderr)
        if given.out:
            made = datetime.date.today().isoformat()
            result = {'made': made, 'targets': found}
            given.out.write_text(json.dumps(result, indent=1) + '\n', encoding='utf-8')
    return int(any(target['exit_code'] for target in found.values()))


if __name__ == '__main__':
    sys.exit(main())
