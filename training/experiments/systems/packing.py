"""What is packed for a borrowed machine that trains the rows (`training.tools.pack`)."""

from __future__ import annotations

import json
from collections.abc import Collection
from pathlib import Path

from training.experiments.systems import borrowed
from training.experiments.systems.rows import ROWS, read_rows
from training.run.borrowed.pack import Session


def make_session(names: Collection[str], path: Path = ROWS) -> Session:
    """Describe the session that trains some rows side by side.

    Args:
        names: Names of rows, or of groups of rows.
        path: File with the rows.

    Raises:
        ValueError: There is no row or group of a name.

    """
    rows = read_rows(path)
    chosen = rows.named(names)
    return Session(
        module=borrowed.__name__,
        configs=[row.config for row in chosen],
        exclude=rows.shared.exclude,
        entries=[(borrowed.CHOSEN, json.dumps([row.name for row in chosen]).encode())],
    )
