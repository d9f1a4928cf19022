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

"""What a borrowed machine leaves to go home, and reading it there."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from training.run.borrowed.slices import Sliced
from training.run.borrowed.start import check_slices
from training.run.borrowed.visit import replaced
from training.run.checkpoint import CHECKPOINT, save_atomically

#: Size of a file that goes home, bytes, at most.
LIMIT_BYTES = 16_000_000

#: List of the files, with what is known of the run.
FACTS = 'facts.json'

#: Keys of a checkpoint by the file that holds them. The network's optimiser is left behind: its
#: moments are twice the network, and a few warm-up steps make new ones.
FILES: dict[str, tuple[str, ...]] = {
    'average.pt': ('average',),
    'network.pt': ('network',),
    'discriminator.pt': ('judge', 'judge_optimiser'),
}
_LEFT_BEHIND = ('optimiser',)

#: Files of the run's log.
LOGS = ('train.csv', 'notes.txt')


def leave(
    state: Mapping[str, Any], run: Path, out: Path, limit_bytes: int = LIMIT_BYTES
) -> list[Path]:
    """Write what goes home, whole: a kill leaves what was there before, or both.

    Args:
        state: Checkpoint, as `Trainer.state` returns it.
        run: Folder with the run's log.
        out: Folder to be made, or to be replaced.
        limit_bytes: Largest size of a file in bytes.

    Returns:
        The files' paths.

    """
    with replaced(out) as partial:
        slices = {}
        for name, keys in FILES.items():
            buffer = io.BytesIO()
            torch.save({key: state[key] for key in keys}, buffer)
            slices[name] = _write(buffer.getvalue(), partial, name, limit_bytes)
        for name in LOGS:
            slices[name] = _write((run / name).read_bytes(), partial, name, limit_bytes)
        elsewhere = {*_LEFT_BEHIND, *(key for keys in FILES.values() for key in keys)}
        facts = {'state': {k: v for k, v in state.items() if k not in elsewhere}, 'files': slices}
        (partial / FACTS).write_text(json.dumps(facts, indent=1) + '\n', encoding='utf-8')
    return sorted(out.iterdir())


def _write(data: bytes, folder: Path, name: str, limit_bytes: int) -> list[dict[str, Any]]:
    with Sliced(folder, name, limit_bytes) as stream:
        stream.write(data)
    return stream.listing()


def read(folder: Path) -> tuple[dict[str, Any], dict[str, bytes]]:
    """Read what came back.

    Args:
        folder: Folder that `leave` wrote.

    Returns:
        The checkpoint, without the network's optimiser, and the content of each of `LOGS`.

    Raises:
        FileNotFoundError: The folder has no list of the files.
        ValueError: A file is missing or damaged.

    """
    if not (folder / FACTS).is_file():
        raise FileNotFoundError(f"'{folder / FACTS}' is missing; give the folder that came back")
    facts = json.loads((folder / FACTS).read_text(encoding='utf-8'))
    state: dict[str, Any] = facts['state']
    logs: dict[str, bytes] = {}
    for name, slices in facts['files'].items():
        data = b''.join(path.read_bytes() for path in check_slices(slices, folder))
        if name in FILES:
            state.update(torch.load(io.BytesIO(data), map_location='cpu', weights_only=True))
        else:
            logs[name] = data
    return state, logs


def make_run(results: Path, out: Path) -> Path:
    """Write the checkpoint and the log of a run; return the checkpoint's path.

    Args:
        results: Folder that came back.
        out: Folder of the run, made if need be.

    Raises:
        FileExistsError: The run has a checkpoint.
        FileNotFoundError: The folder is not one that came back.
        ValueError: A file in the folder is missing or damaged.

    """
    target = out / CHECKPOINT
    if target.exists():
        raise FileExistsError(f"'{target}' exists; give another folder")
    state, logs = read(results)
    out.mkdir(parents=True, exist_ok=True)
    for name, content in logs.items():
        (out / name).write_bytes(content)
    save_atomically(state, target)
    return target
