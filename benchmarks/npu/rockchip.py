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

"""Rockchip's compiler and simulator: ``python -m benchmarks.npu.rockchip WORK``.

Needs rknn-toolkit2.
"""

from __future__ import annotations

import importlib.metadata
import json
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rknn.api import RKNN

from benchmarks.npu.golden import run_golden
from cfrnet_ros.vision.engine.models import FAMILIES, shipped_models

TARGET = 'rk3588'


def compile_and_run(family: str, work: Path) -> dict[str, Any]:
    """Compile a network for the RK3588 in INT8, and run the golden crops in the simulator.

    Args:
        family: Beginning of the name of the shipped files.
        work: Folder with what `convert` and `calibration` wrote.

    Returns:
        Size of the compiled file and PSNR, or the reason of a failure.

    """
    rknn = RKNN(verbose=False)
    with tempfile.TemporaryDirectory() as folder:
        listed = []
        for number, crop in enumerate(np.load(work / 'calibration.npy', allow_pickle=False)):
            path = Path(folder) / f'{number}.npy'
            np.save(path, crop.transpose(2, 0, 1)[None])
            listed.append(str(path))
        dataset = Path(folder) / 'dataset.txt'
        dataset.write_text('\n'.join(listed) + '\n', encoding='utf-8')
        # Bytes 0..255 become 0..1 on the NPU.
        rknn.config(mean_values=[[0, 0, 0]], std_values=[[255, 255, 255]], target_platform=TARGET)
        steps = (
            ('load', lambda: rknn.load_onnx(model=str(work / f'{family}_float.onnx'))),
            ('build', lambda: rknn.build(do_quantization=True, dataset=str(dataset))),
            ('export', lambda: rknn.export_rknn(str(work / f'{family}.rknn'))),
            ('start', lambda: rknn.init_runtime()),
        )
        for name, step in steps:
            if step() != 0:
                return {'reason': f'{name} failed; its log says why'}

    def cycle(state: NDArray[np.float32]) -> NDArray[np.float32]:
        given = np.rint(state * 255.0).astype(np.uint8)[None]
        (found,) = rknn.inference(inputs=[given], data_format=['nhwc'])
        return np.asarray(found[0].transpose(1, 2, 0), np.float32)

    golden = run_golden(shipped_models()[f'{family}_int8'], cycle)
    rknn.release()
    return {'golden': golden, 'bytes': (work / f'{family}.rknn').stat().st_size}


def main() -> None:
    """Print the answers for the shipped networks as one line of JSON."""
    work = Path(sys.argv[1])
    answers = {family: compile_and_run(family, work) for family in FAMILIES.values()}
    version = importlib.metadata.version('rknn-toolkit2')
    print('\n' + json.dumps({'version': version, 'target': TARGET, 'models': answers}), flush=True)


if __name__ == '__main__':
    main()
