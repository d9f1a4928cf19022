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

"""Converts CFRNet for LiteRT and ncnn: `python -m benchmarks.engines.convert --out FOLDER`.

It needs litert-torch, ai-edge-quantizer and pnnx, in an environment of their own, since they
declare other versions than this project pins.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

import numpy as np
import torch
from torch import nn

from cfrnet_ros.vision.engine.models import resolve_model
from training.data.crops import SIZE
from training.export.camera_format import FloatPlanes
from training.export.faces import degraded_faces
from training.export.fp32 import write_onnx
from training.export.shipped import read_model

#: Faces with which the 8-bit file of LiteRT is calibrated, and the seed of their choice.
FACES, SEED = 24, 7


def to_litert(planes: nn.Module, out: Path, faces: list[np.ndarray]) -> None:
    """Write `cfrnet_fp32.tflite` and `cfrnet_int8.tflite`, RGB in 0..1, (1, 256, 256, 3)."""
    import litert_torch
    from ai_edge_quantizer import quantizer, recipe

    plain = out / 'cfrnet_fp32.tflite'
    module = litert_torch.to_channel_last_io(planes, [0], [0])
    litert_torch.convert(module.eval(), (torch.rand(1, SIZE, SIZE, 3),)).export(str(plain))
    work = quantizer.Quantizer(str(plain))
    work.load_quantization_recipe(recipe.static_wi8_ai8())
    result = work.calibrate({'serving_default': [{'args_0': face} for face in faces]})
    work.quantize(result).export_model(str(out / 'cfrnet_int8.tflite'), overwrite=True)


def to_ncnn(planes: nn.Module, out: Path, pnnx: str) -> None:
    """Write `cfrnet.ncnn.param` and `cfrnet.ncnn.bin`, RGB in 0..1, (3, 256, 256)."""
    write_onnx(planes, torch.rand(1, 3, SIZE, SIZE), out / 'cfrnet.onnx')
    command = [pnnx, 'cfrnet.onnx', f'inputshape=[1,3,{SIZE},{SIZE}]', 'fp16=0']
    subprocess.run(command, cwd=out, check=True, stdout=subprocess.DEVNULL)


def main() -> int:
    """Run from the command line; returns the exit code."""
    parser = argparse.ArgumentParser(description=(__doc__ or '').splitlines()[0])
    parser.add_argument('--out', type=Path, required=True, help='folder of the converted files')
    parser.add_argument('--data', type=Path, required=True, help='faces with MANIFEST.tsv')
    parser.add_argument('--pnnx', default='pnnx', help='program pnnx')
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    network, _ = read_model(resolve_model('fp32'))
    planes = FloatPlanes(network, clip=True).eval()
    faces = [
        face.degraded[None, ..., ::-1].astype(np.float32) / 255.0
        for face in degraded_faces(given.data, 'val', FACES, SEED)
    ]
    to_ncnn(planes, given.out, given.pnnx)
    to_litert(planes, given.out, faces)
    print(*sorted(path.name for path in given.out.iterdir()), sep='\n')
    return 0


if __name__ == '__main__':
    sys.exit(main())
