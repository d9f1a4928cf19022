"""Go on from a borrowed machine: ``python -m training.from_borrowed --results R --out RUN``.

Makes a run's checkpoint, with its log, of what `start.py` left there (`training.pack`). The run can
be exported, compared, packed again, or trained on with a config that leads beyond its step; the
network's optimiser begins anew, so the learning rate should begin low.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from training.borrowed.results import read
from training.checkpoint import CHECKPOINT, save_atomically


def make_run(results: Path, out: Path) -> Path:
    """Write the checkpoint and the log of a run; return the checkpoint's path.

    Args:
        results: folder that came back.
        out: the run's folder, made if need be.

    Raises:
        FileExistsError: the run has a checkpoint.
        FileNotFoundError: the folder is not one that came back.
        ValueError: a file in it is missing or damaged.

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


def main() -> None:
    """Parse the command line and make the run."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--results', type=Path, required=True, help='folder that came back')
    parser.add_argument('--out', type=Path, required=True, help="the run's folder")
    args = parser.parse_args()
    try:
        target = make_run(args.results, args.out)
    except (OSError, ValueError) as error:
        raise SystemExit(f'error: {error}') from error
    print(target)


if __name__ == '__main__':
    main()
