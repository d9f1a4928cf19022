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
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np

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
#: Frames of a round of the node.
FRAMES = 24


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


def measure_nodes(folder: Path, rounds: int, threads: Sequence[int]) -> dict[str, Any]:
    """Measure the node with both kernels: 640 x 480 pixels, one face, k = 1 to 3.

    Args:
        folder: Folder with the copy.
        rounds: Turns of each.
        threads: Values of the parameter `threads`.

    Returns:
        By `<kernels>_threads<n>_k<k>`: milliseconds of CPU time of the whole node a frame, the
        least of the rounds; median and shortest round trip with one image in flight in
        milliseconds; and number of frames.

    """
    from benchmarks.performance.camera import Camera, Ros
    from benchmarks.performance.node_cases import SCENE_FRAMES, SETTLING
    from benchmarks.performance.node_under_test import NodeUnderTest
    from benchmarks.performance.scenes import frames
    from cfrnet_ros.replay.parameter_client import ParameterClient
    from cfrnet_ros.replay.ros_domain import claim_domain

    domain = claim_domain()
    pictures = frames(640, 480, 1, SCENE_FRAMES)
    trips: dict[str, list[float]] = {}
    spent: dict[str, list[float]] = {}
    with tempfile.TemporaryDirectory() as logs, ExitStack() as stack:
        ros = stack.enter_context(Ros(domain))
        nodes: dict[str, NodeUnderTest] = {}
        for count in threads:
            for variant, copy in (('installed', None), ('avx2', folder)):
                name = f'{variant}_threads{count}'
                variables = {} if copy is None else changes(copy)
                node = NodeUnderTest(Path(logs), name, domain, {'threads': count}, variables)
                stack.push(node)
                node.wait_until_active(ros.node)
                nodes[name] = node
        for _ in range(rounds):
            for k in (1, 2, 3):
                for name, node in nodes.items():
                    camera = Camera(ros, name, compressed=False, whole_frames=False)
                    try:
                        camera.wait()
                        ParameterClient(ros.node, node.name).set({'cycles': k})
                        messages = camera.messages(pictures)
                        camera.one_by_one(messages, SETTLING)
                        before_s = node.cpu_s()
                        timed, lost = camera.one_by_one(messages, FRAMES)
                        cpu_ms = 1e3 * (node.cpu_s() - before_s) / (len(timed) + lost)
                    finally:
                        camera.close()
                    spent.setdefault(f'{name}_k{k}', []).append(cpu_ms)
                    trips.setdefault(f'{name}_k{k}', []).extend(t.round_trip_ms for t in timed)
    return {
        name: {
            'cpu_ms': round(min(spent[name]), 1),
            'round_trip_ms': {
                'p50': round(float(np.median(each)), 1),
                'min': round(min(each), 1),
            },
            'frames': len(each),
        }
        for name, each in trips.items()
    }


def measure(
    folder: Path, engines: Path | None, rounds: int, threads: Sequence[int]
) -> dict[str, Any]:
    """Measure everything, the kernels in turns.

    Args:
        folder: Folder with the copy.
        engines: Python of an environment with OpenVINO; None to leave it out.
        rounds: Turns of each.
        threads: Values of the node's parameter `threads`.

    """
    load, start = os.getloadavg()[0], time.monotonic()
    found: dict[str, Any] = {}
    for _ in range(rounds):
        for variant, copy in (('installed', None), ('avx2', folder)):
            part = run_part(Path(sys.executable), 'engine', environment(copy), 12)
            if engines is not None:
                part |= run_part(engines, 'openvino', environment(copy), 12)
            found[variant] = faster(found[variant], part) if variant in found else part
    nodes = measure_nodes(folder, rounds, threads)
    return {
        'command': 'python -m benchmarks.performance.avx2',
        'machine': describe_cpu(),
        'load_average_1min': round(load, 2),
        'seconds': round(time.monotonic() - start),
        'engine': found,
        'threads': list(threads),
        'nodes': nodes,
    }


def main() -> int:
    """Run from the command line; returns the exit code."""
    parser = argparse.ArgumentParser(description=(__doc__ or '').splitlines()[0])
    parser.add_argument('folder', type=Path, help='folder for the copy of ONNX Runtime')
    parser.add_argument('--engines', type=Path, help='Python of an environment with OpenVINO')
    parser.add_argument('--results', type=Path, default=RESULTS, help='folder of the results')
    parser.add_argument('--rounds', type=int, default=3, help='turns of each')
    parser.add_argument(
        '--threads', type=int, nargs='+', default=[1, 2], help="the node's parameter threads"
    )
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
    found = measure(given.folder, given.engines, given.rounds, given.threads)
    path = given.results / f'avx2_{found["machine"]["kind"]}.json'
    path.write_text(json.dumps(found, indent=1) + '\n', encoding='utf-8')
    print(f'{path}: {found["seconds"]} s; python -m benchmarks.performance.page writes the table')
    return 0


if __name__ == '__main__':
    sys.exit(main())
