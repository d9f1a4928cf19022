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

"""Training the rows on a machine that is borrowed for minutes, and what comes back from there.

`training.experiments.systems.packing` packs for it. What this module imports is there.
"""

from __future__ import annotations

import io
import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import cv2
import torch

from training.experiments.systems.rows import read_rows
from training.experiments.systems.training_loop import FACTS, Budget, Comparison
from training.run.borrowed.layout import CONFIG, FACES, RUN
from training.run.borrowed.results import LIMIT_BYTES
from training.run.borrowed.slices import Sliced
from training.run.borrowed.start import check_slices
from training.run.borrowed.visit import print_files, replaced, watch_for_the_end
from training.run.checkpoint import save_atomically

#: File among the parts that names the rows, and file of the trained rows that goes home.
CHOSEN, TRAINED = 'rows.json', 'rows.pt'

#: Seconds between two states that are left to go home.
LEAVE_EVERY_S = 120.0

#: Seconds between two checkpoints, with which a new start there goes on: ten times as large.
SAVE_EVERY_S = 300.0

#: Keys of a row's state that go home; its averaged weights do so in half precision.
_KEPT = ('row', 'digest', 'step', 'windows', 'seconds', 'skipped', 'phase', 'curve')


def train_for(work: Path, out: Path, seconds: float, device: str | None = None) -> None:
    """Train the packed rows side by side until the seconds are spent, and leave what goes home.

    A machine that is taken away early leaves the state of two minutes ago at most; one that says
    so first (SIGTERM, SIGINT) leaves the last state.

    Args:
        work: Folder of the parts put together.
        out: Folder of what goes home.
        seconds: Seconds of training all rows, over all starts.
        device: 'cpu', 'cuda'...; None = a GPU where there is one.

    """
    device = device or ('cuda' if torch.cuda.is_available() else 'cpu')
    cv2.setNumThreads(1)
    stopped = watch_for_the_end()
    rows = read_rows(work / CONFIG)
    names = json.loads((work / CHOSEN).read_text(encoding='utf-8'))
    comparison = Comparison(
        rows,
        rows.named(names),
        work / FACES,
        work / RUN,
        torch.device(device),
        Budget(seconds=seconds),
    )
    left = time.monotonic()

    def end() -> bool:
        nonlocal left
        if time.monotonic() - left > LEAVE_EVERY_S:
            leave(comparison, out)
            left = time.monotonic()
        return stopped()

    print(f'{len(names)} rows on {comparison.facts()["device"]}', flush=True)
    comparison.side_by_side(end, SAVE_EVERY_S)
    leave(comparison, out)
    print('stopped early; take home:' if stopped() else 'done; take home:')
    print_files(out)


def leave(comparison: Comparison, out: Path, limit_bytes: int = LIMIT_BYTES) -> list[Path]:
    """Write what goes home, whole: a kill leaves what was there before, or both.

    Args:
        comparison: Rows as far as they are trained.
        out: Folder to be made, or to be replaced.
        limit_bytes: Largest size of a file in bytes.

    Returns:
        The files' paths.

    """
    with replaced(out) as partial:
        trained = {one.row.name: _light(one.state()) for one in comparison.trainees}
        buffer = io.BytesIO()
        torch.save(trained, buffer)
        with Sliced(partial, TRAINED, limit_bytes) as stream:
            stream.write(buffer.getvalue())
        facts = {'run': comparison.facts(), 'slices': stream.listing()}
        (partial / FACTS).write_text(json.dumps(facts, indent=1) + '\n', encoding='utf-8')
    return sorted(out.iterdir())


def _light(state: Mapping[str, Any]) -> dict[str, Any]:
    average = {
        name: value.half() if value.is_floating_point() else value
        for name, value in state['average'].items()
    }
    return {**{key: state[key] for key in _KEPT}, 'average': average}


def take_home(results: Path, out: Path) -> list[str]:
    """Make of what came back a run's folder that can be measured, not trained on.

    Args:
        results: Folder that `leave` wrote.
        out: Folder of the run, made if need be.

    Returns:
        The names of the rows.

    Raises:
        FileNotFoundError: The folder is not one that came back.
        FileExistsError: The run has one of the rows already.
        ValueError: A file is missing or damaged.

    """
    if not (results / FACTS).is_file():
        raise FileNotFoundError(f"'{results / FACTS}' is missing; give the folder that came back")
    facts = json.loads((results / FACTS).read_text(encoding='utf-8'))
    data = b''.join(path.read_bytes() for path in check_slices(facts['slices'], results))
    trained = torch.load(io.BytesIO(data), map_location='cpu', weights_only=True)
    there = [name for name in trained if (out / f'{name}.pt').exists()]
    if there:
        raise FileExistsError(f"'{out}' has {', '.join(there)} already; give another folder")
    out.mkdir(parents=True, exist_ok=True)
    for name, state in trained.items():
        state['average'] = {
            key: value.float() if value.is_floating_point() else value
            for key, value in state['average'].items()
        }
        state['run'] = facts['run']
        save_atomically(state, out / f'{name}.pt')
    return list(trained)
