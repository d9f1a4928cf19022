"""Export a run to the ONNX files that ship: ``python -m training.export --run RUN --data FACES``.

Writes the FP32 and the INT8 (QDQ) model with a model card each, and checks the
FP32 file against PyTorch before it replaces anything.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
import torch
from numpy.typing import NDArray
from onnxruntime.quantization import (
    CalibrationDataReader,
    CalibrationMethod,
    QuantFormat,
    QuantType,
    quantize_static,
)
from onnxruntime.quantization.shape_inference import quant_pre_process
from torch import Tensor, nn

from cfrnet_ros.vision.align import DEFAULT_TEMPLATE
from training.config import NetworkConfig
from training.data import SIZE, aligned, expose, read_manifest, to_tensor
from training.degradation import sample
from training.network import CFRNet, count_macs, count_parameters
from training.train import CHECKPOINT

INPUT, OUTPUT = 'face', 'restored'
#: Export fails above this difference (0..1 range) between ONNX Runtime and PyTorch.
TOLERANCE = 1e-4

DATA = [
    'Official portraits of US legislators and other office holders (mostly US-government works '
    'in the public domain; per-photo provenance often not recorded)',
    'Face Research Lab London Set and Young Adult White Faces (CC BY 4.0; DeBruine and Jones)',
    'Pixabay portraits (Pixabay licence; before 2019-01-09 CC0)',
    'Generated faces: faker-js person portraits (CC0), SFHQ-T2I (MIT)',
]
LIMITS = [
    'Restoration invents detail that was not recorded. A restored face is no evidence of '
    'identity, expression or health.',
    'Trained mostly on North American and European office holders in studio light, mostly '
    'frontal; darker skin is a minority of the data. Expect worse results away from that.',
    'One aligned face a crop; profiles, heavy occlusion and faces below about 30 px are outside '
    'what it was trained for.',
    'Grey (infrared) faces stay grey: no colour is invented.',
]


class _Exported(nn.Module):
    """The network as it ships: float32 0..1 in and out, clipped."""

    def __init__(self, network: CFRNet) -> None:
        super().__init__()
        self.network = network

    def forward(self, face: Tensor) -> Tensor:
        return (face + self.network.correction(face)).clamp(0.0, 1.0)


class _CalibrationFaces(CalibrationDataReader):  # type: ignore[misc]
    """Degraded training faces and what the FP32 model makes of them, cycle by cycle.

    The second and third cycle see restored faces, so these calibrate as well.
    """

    def __init__(self, fp32: Path, data: Path, count: int, seed: int) -> None:
        self._items = self._faces(fp32, data, count, seed)

    @staticmethod
    def _faces(
        fp32: Path, data: Path, count: int, seed: int
    ) -> Iterator[dict[str, NDArray[np.float32]]]:
        session = ort.InferenceSession(str(fp32), providers=['CPUExecutionProvider'])
        records = read_manifest(data, 'train')
        rng = np.random.default_rng(seed)
        for index in rng.choice(len(records), count, replace=False):
            plan = sample(rng, {'general': 0.6, 'car': 0.4})
            face = expose(plan(to_tensor(aligned(records[int(index)])))).numpy()
            for _ in range(3):
                yield {INPUT: face}
                face = session.run([OUTPUT], {INPUT: face})[0]

    def get_next(self) -> dict[str, NDArray[np.float32]] | None:
        """Return the next input, or None at the end (ONNX Runtime's protocol)."""
        return next(self._items, None)


def _load(run: Path) -> tuple[CFRNet, dict[str, Any]]:
    state = torch.load(run / CHECKPOINT, map_location='cpu', weights_only=True)
    config = json.loads(state['config'])
    layout: dict[str, Any] = {
        k: tuple(v) if isinstance(v, list) else v for k, v in config['network'].items()
    }
    network = CFRNet(NetworkConfig(**layout))
    network.load_state_dict(state['average'])
    return network.eval(), state


def export_fp32(network: CFRNet, path: Path) -> float:
    """Write the FP32 model and return its largest difference from PyTorch (0..1 range).

    Raises:
        RuntimeError: the difference is above `TOLERANCE`.

    """
    example = torch.rand(1, 3, SIZE, SIZE, generator=torch.Generator().manual_seed(0))
    program = torch.onnx.export(
        _Exported(network).eval(),
        (example,),
        input_names=[INPUT],
        output_names=[OUTPUT],
        opset_version=18,
        dynamo=True,
        external_data=False,
        verbose=False,
    )
    assert program is not None
    model = program.model_proto
    del model.metadata_props[:]
    for node in model.graph.node:
        # The exporter leaves the Python call stack, with its paths, on every node.
        del node.metadata_props[:]
        node.doc_string = ''
    for value in (*model.graph.value_info, *model.graph.input, *model.graph.output):
        del value.metadata_props[:]
    model.ir_version = min(model.ir_version, 10)
    onnx.checker.check_model(model)
    onnx.save(model, str(path))
    session = ort.InferenceSession(str(path), providers=['CPUExecutionProvider'])
    with torch.no_grad():
        expected = network(example).numpy()
    difference = float(np.abs(session.run([OUTPUT], {INPUT: example.numpy()})[0] - expected).max())
    if difference > TOLERANCE:
        raise RuntimeError(f'ONNX Runtime and PyTorch differ by {difference:.2e} > {TOLERANCE}')
    return difference


def export_int8(fp32: Path, path: Path, data: Path, faces: int, seed: int) -> None:
    """Quantise to INT8 QDQ: unsigned activations, signed weights by channel.

    Unsigned activations with signed weights are what ONNX Runtime's x86 kernels
    are fastest with; NPU compilers read the same QDQ nodes.
    """
    with tempfile.TemporaryDirectory() as folder:
        prepared = Path(folder) / 'prepared.onnx'
        quant_pre_process(str(fp32), str(prepared), skip_symbolic_shape=True)
        quantize_static(
            str(prepared),
            str(path),
            _CalibrationFaces(fp32, data, faces, seed),
            quant_format=QuantFormat.QDQ,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            per_channel=True,
            calibrate_method=CalibrationMethod.MinMax,
        )
    onnx.checker.check_model(onnx.load(str(path)))


def _card(path: Path, precision: str, network: CFRNet, training: dict[str, Any]) -> dict[str, Any]:
    return {
        'name': f'CFRNet 256 {precision.upper()}',
        'file': path.name,
        'sha256': hashlib.sha256(path.read_bytes()).hexdigest(),
        'intended_use': 'Restoring aligned faces from dark, noisy, blurred or compressed camera '
        'images in real time, so that people and downstream nodes see them better.',
        'size': SIZE,
        'layout': 'NCHW',
        'colour': 'RGB',
        'value_range': [0.0, 1.0],
        'dtype': 'float32',
        'iterative': True,
        'expose': True,
        'precision': precision,
        'exposure': 'cfrnet_ros.vision.exposure.expose_face brightens underexposed crops first',
        'template': [[round(float(v), 6) for v in point] for point in DEFAULT_TEMPLATE],
        'licence': 'Apache-2.0',
        'parameters': count_parameters(network),
        'gmac_per_cycle': round(count_macs(network, SIZE) / 1e9, 3),
        'training': training,
        'metrics': 'docs/results.json',
        'data': DATA,
        'limits': LIMITS,
    }


def main() -> None:
    """Export a run."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--run', type=Path, required=True, help="the run's folder")
    parser.add_argument('--data', type=Path, required=True, help='folder with MANIFEST.tsv')
    parser.add_argument('--out', type=Path, default=Path('cfrnet_ros/models'))
    parser.add_argument('--calibration-faces', type=int, default=48)
    parser.add_argument('--seed', type=int, default=11, help='of the calibration faces')
    args = parser.parse_args()
    network, state = _load(args.run)
    training = {
        'config': json.loads(state['config']),
        'steps': state['step'],
        'seconds': round(state['elapsed']),
        'manifest_sha256': state['manifest_sha256'],
        'source_sha256': state['source_sha256'],
        'code_version': state['code_version'],
    }
    with tempfile.TemporaryDirectory() as folder:
        fp32 = Path(folder) / f'cfrnet_{SIZE}_fp32.onnx'
        int8 = Path(folder) / f'cfrnet_{SIZE}_int8.onnx'
        difference = export_fp32(network, fp32)
        export_int8(fp32, int8, args.data, args.calibration_faces, args.seed)
        args.out.mkdir(parents=True, exist_ok=True)
        for path, precision in ((fp32, 'fp32'), (int8, 'int8')):
            extra: dict[str, Any] = {'max_difference_from_pytorch': difference}
            if precision == 'int8':
                extra = {
                    'calibration': {
                        'faces': args.calibration_faces,
                        'seed': args.seed,
                        'split': 'train',
                        'scheme': 'QDQ, U8 activations, S8 weights by channel, MinMax',
                    }
                }
            card = _card(path, precision, network, {**training, **extra})
            target = args.out / path.name
            shutil.copy(path, target)
            target.with_suffix('.json').write_text(json.dumps(card, indent=2) + '\n')
            print(f'{target}: {target.stat().st_size / 1e6:.1f} MB, sha256 {card["sha256"][:12]}')
    print(f'largest difference between ONNX Runtime and PyTorch: {difference:.1e}')


if __name__ == '__main__':
    main()
