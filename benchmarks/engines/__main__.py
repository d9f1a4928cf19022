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

"""Compares engines: `python -m benchmarks.engines --files FOLDER`; see docs/performance.md.

All engines take turns in one process, so that a machine that slows down slows all of them.
Engines that are not installed, or whose converted files are missing, are left out by name.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from tqdm import tqdm

from benchmarks.engines import runners
from benchmarks.engines.runners import Cycle
from benchmarks.performance.cpu import describe_cpu
from cfrnet_ros.vision.engine.cpu_graph import for_cpu
from cfrnet_ros.vision.engine.golden import load_golden
from cfrnet_ros.vision.engine.model_card import load_card
from cfrnet_ros.vision.engine.models import resolve_model

PACKAGES = {'ONNX Runtime': 'onnxruntime', 'OpenVINO': 'openvino', 'LiteRT': 'ai-edge-litert'}
PACKAGES['ncnn'] = 'ncnn'


def candidates(files: Path) -> dict[tuple[str, str], Callable[[int], Cycle]]:
    """Return a function from a number of threads to a cycle, by engine and precision."""
    exact, small = resolve_model('fp32'), resolve_model('int8')
    return {
        ('ONNX Runtime', 'FP32'): lambda n: runners.onnxruntime_cycle(exact, n),
        ('ONNX Runtime', 'INT8'): lambda n: runners.onnxruntime_cycle(small, n),
        ('ONNX Runtime', 'INT8 as the node runs it'): lambda n: runners.onnxruntime_cycle(
            for_cpu(small) or small, n
        ),
        ('OpenVINO', 'FP32'): lambda n: runners.openvino_cycle(exact, n),
        ('OpenVINO', 'BF16'): lambda n: runners.openvino_cycle(exact, n, 'bf16'),
        ('OpenVINO', 'INT8'): lambda n: runners.openvino_cycle(small, n),
        ('LiteRT', 'FP32'): lambda n: runners.litert_cycle(files / 'cfrnet_fp32.tflite', n),
        ('LiteRT', 'INT8'): lambda n: runners.litert_cycle(files / 'cfrnet_int8.tflite', n),
        ('ncnn', 'FP32'): lambda n: runners.ncnn_cycle(files, n),
        ('ncnn', 'BF16 storage'): lambda n: runners.ncnn_cycle(files, n, bfloat16=True),
    }


def compare(files: Path, rounds: int) -> dict[str, Any]:
    """Measure all engines that can be loaded, with one thread each.

    Args:
        files: Folder that `benchmarks.engines.convert` wrote.
        rounds: Cycles of each engine that are timed.

    Returns:
        Rows in the order of `candidates`: time of a cycle, its ratio to ONNX Runtime's FP32, and
        PSNR from the FP32 reference on the golden crops, by k; and the engines left out.

    """
    golden = load_golden(load_card(resolve_model('fp32')))
    if golden is None:
        raise ValueError('the shipped model has no golden crops')
    cycles: dict[tuple[str, str], Cycle] = {}
    absent: dict[str, str] = {}
    for name, load in candidates(files).items():
        try:
            cycles[name] = load(1)
            cycles[name](golden.crop)
        except Exception as error:
            # Whatever an engine raises is the answer to whether it can be measured here.
            absent[' '.join(name)] = f'{type(error).__name__}: {str(error).splitlines()[0][:120]}'
    times: dict[tuple[str, str], list[float]] = {name: [] for name in cycles}
    for _ in tqdm(range(rounds), desc='engines', unit='round', mininterval=5.0):
        for name, cycle in cycles.items():
            # CPU time of all threads: other processes on the machine hardly change it.
            start = time.process_time()
            cycle(golden.crop)
            times[name].append((time.process_time() - start) * 1e3)
    base = min(times['ONNX Runtime', 'FP32'])
    rows = []
    for (engine, precision), values in times.items():
        decibels, crop = {}, golden.crop
        for k in range(1, max(golden.expected) + 1):
            crop = cycles[engine, precision](crop)
            if k in golden.expected:
                decibels[str(k)] = round(min(99.0, cv2.PSNR(crop, golden.expected[k])), 1)
        rows.append(
            {
                'engine': engine,
                'version': importlib.metadata.version(PACKAGES[engine]),
                'precision': precision,
                'min_ms': round(min(values), 2),
                'median_ms': round(float(np.median(values)), 2),
                'over_onnxruntime_fp32': round(min(values) / base, 3),
                'decibels': decibels,
            }
        )
    return {'threads': 1, 'rounds': rounds, 'rows': rows, 'absent': absent}


def main() -> int:
    """Run from the command line; returns the exit code."""
    parser = argparse.ArgumentParser(description=(__doc__ or '').splitlines()[0])
    parser.add_argument('--files', type=Path, default=Path('engine_files'))
    parser.add_argument('--rounds', type=int, default=30)
    parser.add_argument('--out', type=Path, help='file of the results')
    given = parser.parse_args()
    cv2.setNumThreads(1)
    machine = describe_cpu()
    found = {'machine': machine, **compare(given.files, given.rounds)}
    out = given.out or Path(f'benchmarks/results/engines_{machine["kind"]}.json')
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(json.dumps(found, indent=1) + '\n', encoding='utf-8')
    print(json.dumps(found, indent=1))
    return 0


if __name__ == '__main__':
    sys.exit(main())
