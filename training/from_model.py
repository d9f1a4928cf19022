"""Go on from a shipped model: ``python -m training.from_model --model M.onnx --out RUN``.

A run's checkpoint is not committed, its FP32 model is. This makes a checkpoint of it, at the step
that its card names. The optimiser's moments are lost and begin anew, so the config's learning rate
should begin low there; so does the discriminator, unless ``--judge`` names a run that has one.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import onnx
import torch
from onnx import numpy_helper
from torch import nn

from training.checkpoint import CHECKPOINT, read_run, save_atomically
from training.config import modernise
from training.export.camera_format import fold
from training.network import NetworkConfig, build_network

#: What `training.export` wraps a network in, as its weights' names tell.
_PREFIX = 'network.'


def read_model(path: Path) -> tuple[nn.Module, dict[str, Any]]:
    """Rebuild the network of a shipped FP32 model.

    Args:
        path: ONNX file with its model card (same name, .json) beside it.

    Returns:
        The network, RGB in 0..1, in evaluation mode, and the card, whose config has the keys
        of today.

    Raises:
        FileNotFoundError: model or card are missing.
        ValueError: it is not the FP32 file of a run, or of another layout than its card's.

    """
    for wanted in (path, path.with_suffix('.json')):
        if not wanted.is_file():
            raise FileNotFoundError(f"'{wanted}' is missing; a model and its card are needed")
    card = json.loads(path.with_suffix('.json').read_text(encoding='utf-8'))
    if card.get('precision') != 'fp32' or 'config' not in card.get('training', {}):
        raise ValueError(f"'{path}' is not the FP32 file of a training run; give that one")
    card['training']['config'] = modernise(card['training']['config'])
    network = build_network(NetworkConfig.read(card['training']['config']['network']))
    initializers = onnx.load(path).graph.initializer
    weights = {
        tensor.name.removeprefix(_PREFIX): torch.from_numpy(numpy_helper.to_array(tensor).copy())
        for tensor in initializers
        if tensor.name.startswith(_PREFIX)
    }
    expected = network.state_dict()
    try:
        network.load_state_dict({k: v for k, v in weights.items() if k in expected})
    except RuntimeError as error:
        raise ValueError(
            f"'{path}' does not hold the layout that its card names: {str(error).splitlines()[0]}"
        ) from error
    if card['dtype'] == 'uint8':
        # The export folded colour order and range in; folding by the inverse takes them out.
        network.load_state_dict(fold(network, 1.0 / 255.0).state_dict())
    return network.eval(), card


def read_judge(run: Path) -> dict[str, Any]:
    """Return a run's discriminator and its optimiser, as a checkpoint holds them.

    Raises:
        FileNotFoundError: the run has no checkpoint.
        ValueError: its checkpoint holds no discriminator.

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
