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

"""What goes to a borrowed machine, as names in the archive and bytes."""

from __future__ import annotations

import io
import pickle
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from cfrnet_ros.vision.quality.eye_patches import MODEL as EYE_MODEL
from training.critics import dlib_descriptor, mobilefacenet
from training.critics.identity_weights import used_critics
from training.critics.perceptual import WEIGHT_FILES, read_weights, weights_folder
from training.data.images import load_image
from training.data.lids import FILE as EYES
from training.data.lids import outlines_of
from training.data.manifest import read_manifest, read_names
from training.networks.build import build_network
from training.run.borrowed.layout import CONFIG, FACES, RUN
from training.run.checkpoint import CHECKPOINT, CODE_VERSION, code_version, read_run
from training.run.config import RunConfig
from training.run.trainer import CONFIGS

#: Folder of the checkout.
ROOT = Path(__file__).resolve().parents[3]

#: Packages whose code goes along, without the models and templates in them.
PACKAGES = ('training', 'cfrnet_ros')

#: Further code that they import: what draws lids, and what knows the outlines of eyes.
FURTHER = (
    'demo/__init__.py',
    'demo/eyelids.py',
    'examples/__init__.py',
    'examples/eyelids/__init__.py',
    'examples/eyelids/eye_landmarks.py',
    'examples/eyelids/network_files.py',
)

#: WebP's quality of the faces: 24 kB for 320 px, 0.7 of the JPEG files' size.
WEBP_QUALITY = 94

Entry = tuple[str, bytes]

#: Weight file of each identity critic.
_IDENTITY_FILES = {'mobilefacenet': mobilefacenet.FILE, 'dlib': dlib_descriptor.FILE}


def code(config: Path) -> Iterator[Entry]:
    """Yield the project's code, its commit, and the file that describes the run."""
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob('*.py')):
            yield path.relative_to(ROOT).as_posix(), path.read_bytes()
    for name in FURTHER:
        yield name, (ROOT / name).read_bytes()
    for path in sorted(CONFIGS.iterdir()):
        yield path.relative_to(ROOT).as_posix(), path.read_bytes()
    yield CODE_VERSION, code_version().encode()
    yield CONFIG, config.read_bytes()


def faces(data: Path, exclude: str, lids: bool = False) -> Iterator[Entry]:
    """Yield the training faces as WebP, and the manifest as it is.

    Args:
        data: Folder with MANIFEST.tsv.
        exclude: List of images to leave out, see `RunConfig`.
        lids: Whether lids will be drawn down, for which the eyes are found here.

    Raises:
        FileNotFoundError: The manifest or the list is missing.
        ValueError: An image cannot be decoded.

    """
    left_out = read_names(CONFIGS / exclude) if exclude else set()
    # Unchanged, so that its hash goes on naming the data.
    manifest = data / 'MANIFEST.tsv'
    records = [r for r in read_manifest(data, 'train') if r.path.name not in left_out]
    yield f'{FACES}/{manifest.name}', manifest.read_bytes()
    for record in records:
        # The name stays, so that the manifest does: the content tells the format.
        yield f'{FACES}/train/{record.path.name}', _webp(load_image(record.path))
    if lids:
        buffer = io.BytesIO()
        np.savez(
            buffer,
            names=np.array([record.path.name for record in records]),
            outlines=outlines_of(data, records),
        )
        yield f'{FACES}/{EYES}', buffer.getvalue()


def _webp(image: NDArray[np.uint8]) -> bytes:
    _, data = cv2.imencode('.webp', image, [cv2.IMWRITE_WEBP_QUALITY, WEBP_QUALITY])
    return data.tobytes()


def critics(*configs: RunConfig) -> Iterator[Entry]:
    """Yield the frozen networks that the configs ask for at any step.

    They are in half precision, but for the small one of the eyes.

    Args:
        configs: Configurations of the borrowed run.

    Raises:
        FileNotFoundError: The weights of one of the networks are missing.
        ValueError: A weight is beyond the range of half precision.

    """
    phases = [phase for config in configs for _, phase in config.phases]
    if any(max(phase.loss.perceptual) > 0 for phase in phases):
        package = weights_folder().parent.name
        yield f'{package}/__init__.py', b''
        # Protocol 4 is the newest for which NumPy's arrays need none but the allowed names.
        data = pickle.dumps(_half(read_weights('vgg')), protocol=4)
        yield f'{package}/weights/{WEIGHT_FILES["vgg"][0]}', data
    if any(phase.loss.eyes > 0 for phase in phases):
        yield EYE_MODEL.relative_to(ROOT).as_posix(), EYE_MODEL.read_bytes()
    named = {
        name: None
        for phase in phases
        if phase.loss.identity > 0
        for name in used_critics(phase.loss.identity_critics)
    }
    if named:
        yield f'{mobilefacenet.FOLDER}/__init__.py', b''
    for name in named:
        file = _IDENTITY_FILES[name]
        buffer = io.BytesIO()
        with np.load(mobilefacenet.identity_file(file), allow_pickle=False) as arrays:
            np.savez(buffer, **_half({key: arrays[key] for key in arrays.files}))
        yield f'{mobilefacenet.FOLDER}/{file}', buffer.getvalue()


def _half(tree: Any) -> Any:
    if isinstance(tree, Mapping):
        return {name: _half(entry) for name, entry in tree.items()}
    array = np.asarray(tree)
    half = array.astype(np.float16)
    if not np.isfinite(half).all():
        raise ValueError(
            f'a critic has weights up to {np.abs(array).max():g}, beyond half precision; it '
            'cannot be packed'
        )
    return half


def start(run: Path | None, config: RunConfig) -> Iterator[Entry]:
    """Yield the checkpoint that the borrowed run begins with, at its step 0.

    Args:
        run: Folder of the run to go on from: its averaged weights, its discriminator if it has one.
            None for random weights.
        config: Configuration of the borrowed run.

    Raises:
        FileNotFoundError: The run has no checkpoint.
        ValueError: The run's weights are of another layout, or no run was given where the config
            asks for one.

    """
    if run is None:
        if config.start_from:
            raise ValueError(
                f"the config starts from '{config.start_from}', which stays here; give the "
                'folder of that run by --run'
            )
        return
    before = read_run(run, '--run')
    average = before['average']
    try:
        build_network(config.network).load_state_dict(average)
    except RuntimeError as error:
        raise ValueError(
            f"'{run}' does not fit the config's layout: {str(error).splitlines()[0]}"
        ) from error
    state: dict[str, Any] = {
        key: before[key] for key in ('judge', 'judge_optimiser') if key in before
    }
    state.update(network=average, average=average, step=0, elapsed=0.0)
    buffer = io.BytesIO()
    torch.save(state, buffer)
    yield f'{RUN}/{CHECKPOINT}', buffer.getvalue()
