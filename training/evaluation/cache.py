"""Measured chunks on disk, so that a run that was stopped goes on where it was."""

from __future__ import annotations

import hashlib
import json
import os
import zipfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from training.evaluation.meters import Readings

_ROOT = Path(__file__).resolve().parents[2]

#: Code that decides what a figure is. A change in any of these files measures afresh.
_CODE = (
    'training/degradation',
    'training/degradation.py',
    'training/metrics',
    'training/perceptual.py',
    'training/data.py',
    'training/evaluation/cases.py',
    'training/evaluation/meters.py',
    'training/evaluation/runner.py',
    'training/evaluation/work.py',
    'cfrnet_ros/vision/restoration/align.py',
    'cfrnet_ros/vision/restoration/exposure.py',
)


def code_sha256() -> str:
    """Return one hash over the code that decides what a figure is."""
    digest = hashlib.sha256()
    for entry in _CODE:
        path = _ROOT / entry
        files = sorted(path.rglob('*.py')) if path.is_dir() else [path] * path.is_file()
        for file in files:
            digest.update(file.relative_to(_ROOT).as_posix().encode() + file.read_bytes())
    return digest.hexdigest()


def save(path: Path, faces: Sequence[Readings], seconds: float) -> None:
    """Write a chunk whole or not at all.

    Args:
        path: of the file, ending in `.npz`.
        faces: what was measured.
        seconds: that it took, on one core.

    """
    path.parent.mkdir(parents=True, exist_ok=True)
    rows = [{'number': f.number, 'file': f.file, 'values': f.values} for f in faces]
    arrays = {'rows': np.array(json.dumps(rows)), 'seconds': np.array(seconds)}
    for face in faces:
        for stage, features in face.features.items():
            arrays[f'features/{face.number}/{stage}'] = features
    partial = path.with_name(f'{path.stem}.{os.getpid()}.partial.npz')
    np.savez(partial, allow_pickle=False, **arrays)
    os.replace(partial, path)


def load(path: Path) -> tuple[list[Readings], float] | None:
    """Read a chunk: its faces and the seconds it took, or None if it is not there or damaged."""
    try:
        with np.load(path, allow_pickle=False) as arrays:
            faces = [
                Readings(row['number'], row['file'], row['values'])
                for row in json.loads(str(arrays['rows']))
            ]
            by_number = {face.number: face for face in faces}
            for name in arrays.files:
                if name.startswith('features/'):
                    _, number, stage = name.split('/')
                    by_number[int(number)].features[stage] = arrays[name]
            return faces, float(arrays['seconds'])
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        return None
