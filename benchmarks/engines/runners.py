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

"""One cycle of CFRNet in each engine, with one interface: bytes BGR in, bytes BGR out."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Picture = NDArray[np.uint8]
#: Function that applies one cycle to a (256, 256, 3) uint8 BGR crop.
Cycle = Callable[[Picture], Picture]


def _bytes(planes: NDArray[np.float32]) -> Picture:
    """Convert (3, N, N) or (N, N, 3) RGB in 0..1 to (N, N, 3) uint8 BGR."""
    image = planes.transpose(1, 2, 0) if planes.shape[0] == 3 else planes
    return np.clip(np.rint(image[..., ::-1] * 255.0), 0, 255).astype(np.uint8)


def _unit(crop: Picture) -> NDArray[np.float32]:
    """Convert (N, N, 3) uint8 BGR to (N, N, 3) float32 RGB in 0..1."""
    return np.ascontiguousarray(crop[..., ::-1], np.float32) / np.float32(255.0)


def onnxruntime_cycle(model: Path | bytes, threads: int) -> Cycle:
    """Return a cycle of a shipped file, or of its content, by ONNX Runtime's CPU provider."""
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.add_session_config_entry('session.intra_op.allow_spinning', '0')
    source = model if isinstance(model, bytes) else str(model)
    session = ort.InferenceSession(source, options, providers=['CPUExecutionProvider'])
    name = session.get_inputs()[0].name
    return lambda crop: session.run(None, {name: crop[None]})[0][0]  # type: ignore[no-any-return]


def openvino_cycle(model: Path, threads: int, precision: str = 'f32') -> Cycle:
    """Return a cycle of a shipped file by OpenVINO's CPU device.

    Args:
        model: Shipped file.
        threads: Number of threads.
        precision: Type of what is not in 8 bits: 'f32', or 'bf16' on CPUs that compute in it.

    """
    import openvino as ov

    settings = {
        'INFERENCE_NUM_THREADS': threads,
        'NUM_STREAMS': 1,
        'PERFORMANCE_HINT': 'LATENCY',
        # Without a hint, CPUs with bfloat16 compute in it, which is another accuracy.
        'INFERENCE_PRECISION_HINT': precision,
    }
    compiled = ov.Core().compile_model(str(model), 'CPU', settings)
    request = compiled.create_infer_request()

    def cycle(crop: Picture) -> Picture:
        request.infer([crop[None]])
        return np.array(request.get_output_tensor().data[0])

    return cycle


def litert_cycle(model: Path, threads: int) -> Cycle:
    """Return a cycle of a converted file by LiteRT, whose CPU kernels are XNNPACK's."""
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(str(model), num_threads=threads)
    interpreter.allocate_tensors()
    source = interpreter.get_input_details()[0]
    target = interpreter.get_output_details()[0]

    def cycle(crop: Picture) -> Picture:
        interpreter.set_tensor(source['index'], _quantised(_unit(crop)[None], source))
        interpreter.invoke()
        found = interpreter.get_tensor(target['index'])[0]
        return _bytes(_restored(found, target))

    return cycle


def _quantised(values: NDArray[np.float32], detail: dict[str, Any]) -> NDArray[Any]:
    scale, zero = detail['quantization']
    if not scale:
        return values
    limits = np.iinfo(detail['dtype'])
    return np.clip(np.rint(values / scale) + zero, limits.min, limits.max).astype(detail['dtype'])


def _restored(values: NDArray[Any], detail: dict[str, Any]) -> NDArray[np.float32]:
    scale, zero = detail['quantization']
    if not scale:
        return np.asarray(values, np.float32)
    return (values.astype(np.float32) - zero) * np.float32(scale)


def ncnn_cycle(folder: Path, threads: int, bfloat16: bool = False) -> Cycle:
    """Return a cycle of a converted file by ncnn; `bfloat16` stores activations in 16 bits."""
    import ncnn

    net = ncnn.Net()
    net.opt.num_threads = threads
    net.opt.use_vulkan_compute = False
    net.opt.use_fp16_packed = net.opt.use_fp16_storage = net.opt.use_fp16_arithmetic = False
    net.opt.use_bf16_storage = bfloat16
    net.load_param(str(folder / 'cfrnet.ncnn.param'))
    net.load_model(str(folder / 'cfrnet.ncnn.bin'))

    def cycle(crop: Picture) -> Picture:
        planes = np.ascontiguousarray(_unit(crop).transpose(2, 0, 1))
        extractor = net.create_extractor()
        extractor.input('in0', ncnn.Mat(planes))
        _, found = extractor.extract('out0')
        return _bytes(np.array(found))

    return cycle
