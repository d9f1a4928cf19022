"""An INT8 file gives the same bytes on an emulated CPU without VNNI."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnxruntime as ort
import pytest

from cfrnet_ros.vision.engine.golden import load_golden
from cfrnet_ros.vision.engine.model_card import load_card
from cfrnet_ros.vision.engine.models import resolve_model

QEMU = shutil.which('qemu-x86_64')

#: Intel's Haswell of 2013 has AVX2 and neither AVX-512 nor VNNI.
CPU = 'Haswell'

#: Program that runs on the emulated CPU. The wheels of ROS 2 restart Python when `site` is loaded,
#: which would leave the emulation.
SCRIPT = """
import sys
import numpy as np
import onnxruntime as ort
options = ort.SessionOptions()
options.intra_op_num_threads = 1
session = ort.InferenceSession(sys.argv[1], options, providers=['CPUExecutionProvider'])
np.save(sys.argv[3], session.run(None, {session.get_inputs()[0].name: np.load(sys.argv[2])})[0])
"""


@pytest.mark.slow
@pytest.mark.skipif(QEMU is None, reason='needs qemu-x86_64 (Debian: apt install qemu-user)')
@pytest.mark.skipif(platform.machine() != 'x86_64', reason='compares two kinds of x86-64 CPU')
@pytest.mark.parametrize('name', ['int8', 'plain_int8'])
def test_an_emulated_cpu_without_vnni_gives_the_same_bytes(name: str, tmp_path: Path) -> None:
    model = resolve_model(name)
    golden = load_golden(load_card(model))
    assert golden is not None
    given, found = tmp_path / 'given.npy', tmp_path / 'found.npy'
    np.save(given, golden.crop[None])
    packages = Path(np.__file__).parents[1]
    subprocess.run(
        [QEMU or '', '-cpu', CPU, str(Path(sys.executable).resolve()), '-S', '-c', SCRIPT]
        + [str(path) for path in (model, given, found)],
        env={**os.environ, 'PYTHONPATH': str(packages)},
        check=True,
        timeout=900,
        capture_output=True,
    )
    session = ort.InferenceSession(str(model), providers=['CPUExecutionProvider'])
    here = session.run(None, {session.get_inputs()[0].name: golden.crop[None]})[0]
    assert np.array_equal(np.load(found), here)
