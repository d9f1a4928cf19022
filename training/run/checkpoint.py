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

"""Checkpoints: written so that a kill loses nothing, and saying what made them."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
from pathlib import Path
from typing import Any

import torch
from torch import nn

from training.data.manifest import manifest_sha256
from training.networks.build import build_network
from training.networks.config import NetworkConfig
from training.run.config import modernise

CHECKPOINT = 'checkpoint.pt'


#: File beside the package that names the commit of code that was packed (`training.tools.pack`).
CODE_VERSION = 'code_version.txt'


def code_version() -> str:
    """Return the commit of the code that trains, with a mark if it was changed."""
    root = Path(__file__).resolve().parents[2]
    if (root / CODE_VERSION).is_file():
        return (root / CODE_VERSION).read_text(encoding='utf-8').strip()
    try:
        run = subprocess.run(
            ['git', 'describe', '--always', '--dirty'],
            cwd=root,
            capture_output=True,
            text=True,
            check=False,
        )
    except FileNotFoundError:
        # No git on this machine.
        return 'unknown'
    return run.stdout.strip() or 'unknown'


def source_sha256() -> str:
    """Return one hash over the training code's files, in name order."""
    digest = hashlib.sha256()
    root = Path(__file__).parents[1]
    for path in sorted(root.rglob('*.py')):
        digest.update(path.relative_to(root).as_posix().encode() + path.read_bytes())
    return digest.hexdigest()


def provenance(data: Path) -> dict[str, str]:
    """Return what the weights of a run are to carry: hashes of its data and its code."""
    return {
        'manifest_sha256': manifest_sha256(data),
        'source_sha256': source_sha256(),
        'code_version': code_version(),
    }


def save_atomically(state: dict[str, Any], path: Path) -> None:
    """Write a checkpoint so that a kill at any moment leaves the old or the new one."""
    partial = path.with_suffix('.partial')
    torch.save(state, partial)
    os.replace(partial, path)


def read_run(run: Path, option: str) -> dict[str, Any]:
    """Return what the checkpoint in a run's folder holds; its config has the keys of today.

    Args:
        run: Folder of the run.
        option: Option of the command line that named the folder, for the message.

    Raises:
        FileNotFoundError: The run has no checkpoint.

    """
    path = run / CHECKPOINT
    if not path.is_file():
        raise FileNotFoundError(f"there is no '{path}'; give {option} the folder of a trained run")
    state: dict[str, Any] = torch.load(path, map_location='cpu', weights_only=True)
    if 'config' in state:
        state['config'] = json.dumps(modernise(json.loads(state['config'])))
    return state


def load_weights(network: nn.Module, path: Path) -> None:
    """Give a network the averaged weights of another run.

    Raises:
        FileNotFoundError: The checkpoint is missing.
        ValueError: The checkpoint is of another layout.

    """
    if not path.is_file():
        raise FileNotFoundError(
            f"start_from names '{path}', which does not exist; train that run first, or leave "
            'start_from out to begin with random weights'
        )
    state = torch.load(path, map_location='cpu', weights_only=True)
    try:
        network.load_state_dict(state['average'])
    except (KeyError, RuntimeError) as error:
        raise ValueError(
            f"'{path}' does not fit the layout of this run: {str(error).splitlines()[0]}"
        ) from error


def load_run(run: Path) -> tuple[nn.Module, dict[str, Any]]:
    """Load the averaged weights of a run, and what else its checkpoint says.

    Raises:
        FileNotFoundError: The run has no checkpoint.

    """
    state = read_run(run, '--run')
    network = build_network(NetworkConfig.read(json.loads(state['config'])['network']))
    network.load_state_dict(state['average'])
    return network.eval(), state
