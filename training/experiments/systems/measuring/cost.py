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

"""Milliseconds, memory and size of each row's files."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from training.data.crops import SIZE
from training.export.fp32 import INPUT, OUTPUT

#: Numbers of CPU threads that are timed.
THREADS = (1, 2)

#: Share of one thread's time of computing above which the time of two is none of theirs.
TOO_BUSY = 2.0

#: Program that prints the peak of its resident memory in MB, with a session run or without.
_PEAK = """
import sys
import numpy as np, onnxruntime as ort
options = ort.SessionOptions()
options.intra_op_num_threads = options.inter_op_num_threads = 1
if sys.argv[1]:
    session = ort.InferenceSession(sys.argv[1], options, providers=['CPUExecutionProvider'])
    value = session.get_inputs()[0]
    kind = np.uint8 if 'uint8' in value.type else np.float32
    for _ in range(3):
        session.run(None, {value.name: np.zeros(value.shape, kind)})
# Not getrusage's figure, which begins with the parent's.
status = open('/proc/self/status', encoding='utf-8').read()
print(int(status.split('VmHWM:')[1].split()[0]) / 1024.0)
"""


def peak_megabytes(path: Path | None) -> float:
    """Return the peak of a fresh process's resident memory in MB, a model run in it or not.

    Read from Linux's ``/proc``.

    Args:
        path: Path of an ONNX file; None for a process with ONNX Runtime alone.

    """
    command = [sys.executable, '-c', _PEAK, str(path) if path else '']
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=300)
    return float(done.stdout)


def time_files(files: Mapping[str, Path], rounds: int) -> dict[str, dict[str, float | None]]:
    """Time every file in turn with one thread and with two.

    One thread's time is what it spends computing; of two threads the time that passes is told, of
    which the shortest is least disturbed by other programs.

    Args:
        files: ONNX files by any name.
        rounds: Number of runs of each file and number of threads.

    Returns:
        By name `ms_1` (median) and `ms_2` (shortest), milliseconds a run; `ms_2` is None where two
        threads passed twice the time that one computes, which is other programs' doing.

    """
    runs: dict[tuple[str, int], tuple[ort.InferenceSession, dict[str, NDArray[Any]]]] = {}
    for name, path in files.items():
        for threads in THREADS:
            options = ort.SessionOptions()
            options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
            session = ort.InferenceSession(str(path), options, providers=['CPUExecutionProvider'])
            runs[name, threads] = (session, {INPUT: _example(session)})
    times: dict[tuple[str, int], list[float]] = {key: [] for key in runs}
    for turn in range(rounds + 1):
        for (name, threads), (session, given) in runs.items():
            clock = time.thread_time if threads == 1 else time.perf_counter
            begin = clock()
            session.run([OUTPUT], given)
            if turn > 0:  # the first allocates
                times[name, threads].append((clock() - begin) * 1e3)
    found: dict[str, dict[str, float | None]] = {}
    for name in files:
        one, two = float(np.median(times[name, 1])), min(times[name, 2])
        told = round(two, 1) if two < TOO_BUSY * one else None
        found[name] = {'ms_1': round(one, 1), 'ms_2': told}
    return found


def _example(session: ort.InferenceSession) -> NDArray[Any]:
    value = session.get_inputs()[0]
    rng = np.random.default_rng(0)
    if 'uint8' in value.type:
        return rng.integers(0, 256, value.shape, dtype=np.uint8)
    return rng.random(value.shape, dtype=np.float32)


def time_functions(
    functions: Mapping[str, Callable[[NDArray[np.uint8]], NDArray[np.uint8]]], rounds: int
) -> dict[str, float]:
    """Return the median milliseconds of each function on one (256, 256, 3) crop, one thread.

    Args:
        functions: Functions by any name.
        rounds: Number of calls of each.

    """
    cv2.setNumThreads(1)
    crop = np.random.default_rng(0).integers(0, 256, (SIZE, SIZE, 3), dtype=np.uint8)
    times: dict[str, list[float]] = {name: [] for name in functions}
    for _ in range(rounds):
        for name, function in functions.items():
            begin = time.process_time()
            function(crop)
            times[name].append((time.process_time() - begin) * 1e3)
    return {name: round(float(np.median(values)), 1) for name, values in times.items()}
