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

"""Measures AVX2 kernels on a CPU with AVX-512: `python -m benchmarks.performance.avx2 FOLDER`.

It makes the copy of ONNX Runtime that `avx2_copy` describes in FOLDER, and measures the installed
package and the copy in turns: cycle and roof, detection, golden crops, and the node. The kernels
are those of a CPU with AVX2 alone; the core is this machine's.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import cv2

from benchmarks.engines.runners import onnxruntime_cycle, openvino_cycle
from benchmarks.performance.avx2_copy import CopyError, changes, environment, kernels, make_copy
from benchmarks.performance.cpu import describe_cpu
from cfrnet_ros.vision.engine.cpu_graph import for_cpu
from cfrnet_ros.vision.engine.golden import load_golden
from cfrnet_ros.vision.engine.model_card import load_card
from cfrnet_ros.vision.engine.models import resolve_model

ROOT = Path(__file__).resolve().parents[2]
RESULTS = ROOT / 'benchmarks' / 'results'
#: Cycles whose crops are compared.
GOLDEN_CYCLES = 3


def part_engine(rounds: int) -> dict[str, Any]:
    """Measure cycle, roof and detection in this process, and take digests of the golden crops."""
    from benchmarks.performance.roof import measure_roof

    cv2.setNumThreads(1)
    roof = measure_roof(rounds)
    for each in roof.values():
        each['operators'] = each['operators'][:6]
    files = {name: resolve_model(name) for name in ('fp32', 'int8')}
    golden = load_golden(load_card(files['fp32']))
    if golden is None:
        raise ValueError('the shipped model has no golden crops')
    rewritten = for_cpu(files['int8']) or files['int8']
    digests = {}
    for name, model in {**files, 'int8_in_the_node': rewritten}.items():
        cycle, crop = onnxruntime_cycle(model, 1), golden.crop
        for _ in range(GOLDEN_CYCLES):
            crop = cycle(crop)
        digests[name] = hashlib.sha256(crop.tobytes()).hexdigest()[:16]
    return {
        'kernels': kernels(),
        'roof': roof,
        'golden': digests,
        'detect_ms': _fastest(_detection(), rounds),
    }


def part_openvino(rounds: int) -> dict[str, Any]:
    """Measure a cycle by OpenVINO in this process."""
    golden = load_golden(load_card(resolve_model('fp32')))
    if golden is None:
        raise ValueError('the shipped model has no golden crops')
    crop = golden.crop
    found = {}
    for name in ('fp32', 'int8'):
        cycle = openvino_cycle(resolve_model(name), 1)
        found[name] = _fastest(partial(cycle, crop), rounds)
    return {'openvino_ms': found}


def _detection() -> Callable[[], object]:
    from benchmarks.performance.scenes import frames
    from cfrnet_ros.vision.detection.detector import YuNetDetector
    from cfrnet_ros.vision.engine.providers import choose_providers

    frame = frames(640, 480, 1, 2)[0]
    detector = YuNetDetector(None, choose_providers('cpu'), 480, 1)
    return lambda: detector.detect(frame, 0.6)


def _fastest(run: Callable[[], object], rounds: int) -> float:
    """Return the shortest CPU time of all threads, in milliseconds."""
    run()
    times = []
    for _ in range(rounds):
        start = time.process_time()
        run()
        times.append(time.process_time() - start)
    return round(1e3 * min(times), 2)


PARTS: dict[str, Callable[[int], dict[str, Any]]] = {
    'engine': part_engine,
    'openvino': part_openvino,
}


def run_part(python: Path, part: str, variables: dict[str, str], rounds: int) -> dict[str, Any]:
    """Run a part in a process of its own.

    Args:
        python: Python of the process.
        part: One of `PARTS`.
        variables: Environment variables of the process.
        rounds: Runs that are timed; the fastest counts.

    """
    command = [str(python), '-m', 'benchmarks.performance.avx2', '--part', part]
    done = subprocess.run(
        [*command, '--rounds', str(rounds), '.'],
        env=variables,
        cwd=ROOT,
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    )
    return dict(json.loads(done.stdout.splitlines()[-1]))


def faster(one: Any, other: Any) -> Any:
    """Return measurements with the better of two times of everything that was timed."""
    if isinstance(one, dict):
        if 'cycle_ms' in one and 'roof_gmacs' in one:
            return _roof_of(one, other)
        return {key: faster(value, other[key]) for key, value in one.items()}
    return min(one, other) if isinstance(one, float) else one


def _roof_of(one: dict[str, Any], other: dict[str, Any]) -> dict[str, Any]:
    quicker = one if one['cycle_ms'] <= other['cycle_ms'] else other
    rate = max(one['roof_gmacs'], other['roof_gmacs'])
    at_roof_ms = 1e3 * quicker['gmac'] / rate
    return {
        **quicker,
        'roof_gmacs': rate,
        'at_roof_ms': round(at_roof_ms, 2),
        'ratio': round(quicker['cycle_ms'] / at_roof_ms, 2),
    }


def measure_nodes(folder: Path, rounds: int) -> dict[str, Any]:
    """Measure the node with both kernels: 640 x 480 pixels, one face, k = 1 to 3."""
    from benchmarks.performance.cases import BASE
    from benchmarks.performance.node_cases import Bench, Effort
    from cfrnet_ros.replay.ros_domain import claim_domain

    cases = []
    for threads in (1, 2):
        for k in (1, 2, 3):
            for variant, copy in (('installed', None), ('avx2', folder)):
                cases.append(
                    replace(
                        BASE,
                        name=f'{variant}_threads{threads}_k{k}',
                        cycles=k,
                        static={'threads': threads},
                        variant=variant,
                        environment={} if copy is None else changes(copy),
                    )
                )
    with tempfile.TemporaryDirectory() as logs:
        return Bench(cases, claim_domain(), Path(logs)).run(Effort(rounds, 24, 1.5, 600.0))


def measure(folder: Path, engines: Path | None, rounds: int) -> dict[str, Any]:
    """Measure everything, the kernels in turns.

    Args:
        folder: Folder with the copy.
        engines: Python of an environment with OpenVINO; None to leave it out.
        rounds: Turns of each.

    """
    load, start = os.getloadavg()[0], time.monotonic()
    found: dict[str, Any] = {}
    for _ in range(rounds):
        for variant, copy in (('installed', None), ('avx2', folder)):
            part = run_part(Path(sys.executable), 'engine', environment(copy), 12)
            if engines is not None:
                part |= run_part(engines, 'openvino', environment(copy), 12)
            found[variant] = faster(found[variant], part) if variant in found else part
    nodes = measure_nodes(folder, rounds)
    return {
        'command': 'python -m benchmarks.performance.avx2',
        'machine': describe_cpu(),
        'load_average_1min': round(load, 2),
        'seconds': round(time.monotonic() - start),
        'engine': found,
        'nodes': {
            name: {
                key: case[key]
                for key in ('frames', 'lost', 'round_trip_ms', 'saturated_fps', 'cores')
            }
            for name, case in nodes.items()
        },
    }


def main() -> int:
    """Run from the command line; returns the exit code."""
    parser = argparse.ArgumentParser(description=(__doc__ or '').splitlines()[0])
    parser.add_argument('folder', type=Path, help='folder for the copy of ONNX Runtime')
    parser.add_argument('--engines', type=Path, help='Python of an environment with OpenVINO')
    parser.add_argument('--results', type=Path, default=RESULTS, help='folder of the results')
    parser.add_argument('--rounds', type=int, default=3, help='turns of each')
    parser.add_argument('--part', choices=list(PARTS), help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.part:
        print(json.dumps(PARTS[given.part](given.rounds)))
        return 0
    os.environ.setdefault('RMW_IMPLEMENTATION', 'rmw_fastrtps_cpp')
    try:
        make_copy(given.folder)
    except CopyError as error:
        print(error, file=sys.stderr)
        return 1
    found = measure(given.folder, given.engines, given.rounds)
    path = given.results / f'avx2_{found["machine"]["kind"]}.json'
    path.write_text(json.dumps(found, indent=1) + '\n', encoding='utf-8')
    print(f'{path}: {found["seconds"]} s; python -m benchmarks.performance.page writes the table')
    return 0


if __name__ == '__main__':
    sys.exit(main())
