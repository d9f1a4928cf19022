"""Writes files that are either whole or not there."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """Give a temporary name in the folder of a file, and rename it when the block has ended.

    If the block raises, the temporary file is removed and an older file of that name stays as it
    was. Temporary names begin with a dot and keep the suffix, by which encoders choose a format.

    Args:
        path: Path of the file to write. Missing folders are made.

    Yields:
        Path to write to.

    """
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f'.{path.stem}.{os.getpid()}.part{path.suffix}')
    try:
        yield part
        with part.open('rb') as written:
            # Without this a file of the right name may be empty after a power failure.
            os.fsync(written.fileno())
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
