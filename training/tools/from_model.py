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

"""Go on from a shipped model: ``python -m training.tools.from_model --model M.onnx --out RUN``.

A run's checkpoint is not committed, its FP32 model is. This makes a checkpoint of it, at the step
that its card names. The optimiser's moments are lost and begin anew, so the config's learning rate
should begin low there; so does the discriminator, unless ``--judge`` names a run that has one.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from training.export.shipped import read_model
from training.run.checkpoint import CHECKPOINT, read_run, save_atomically


def read_judge(run: Path) -> dict[str, Any]:
    """Return a run's discriminator and its optimiser, as a checkpoint holds them.

    Raises:
        FileNotFoundError: The run has no checkpoint.
        ValueError: The checkpoint of the run holds no discriminator.

    """
    state = read_run(run, '--judge')
    if 'judge' not in state:
        raise ValueError(
            f"'{run}' holds no discriminator; leave out --judge to begin with a new one"
        )
    return {key: state[key] for key in ('judge', 'judge_optimiser')}


def main() -> None:
    """Write the checkpoint."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--model', type=Path, required=True, help='FP32 file, its card beside it')
    parser.add_argument('--out', type=Path, required=True, help="the run's folder")
    parser.add_argument('--judge', type=Path, help='run of which the discriminator is taken')
    args = parser.parse_args()
    target = args.out / CHECKPOINT
    if target.exists():
        raise SystemExit(f"'{target}' exists; give another folder, or go on from that one")
    try:
        network, card = read_model(args.model)
        judge = read_judge(args.judge) if args.judge else {}
    except (FileNotFoundError, ValueError) as error:
        raise SystemExit(str(error)) from error
    facts = card['training']
    weights = network.state_dict()
    args.out.mkdir(parents=True, exist_ok=True)
    state = {'network': weights, 'average': weights, 'step': facts['steps'], **judge}
    save_atomically({**state, 'elapsed': float(facts['seconds'])}, target)
    print(f'{target}: step {facts["steps"]}, for the config that leads beyond it')


if __name__ == '__main__':
    main()
