"""The small copy of a folder of faces."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip('torch', reason='training needs PyTorch: make test-training')

from training.data import load_image, manifest_sha256, read_manifest  # noqa: E402
from training.pack import pack  # noqa: E402


def test_the_copy_fits_and_holds_the_same_faces(faces: Path, tmp_path: Path) -> None:
    out = tmp_path / 'small'
    limit = 200_000
    quality = pack(faces, out, ['train', 'val'], limit)
    assert sum(p.stat().st_size for p in out.rglob('*') if p.is_file()) < limit
    assert quality >= 80
    assert manifest_sha256(out) == manifest_sha256(faces)
    for split in ('train', 'val'):
        for record in read_manifest(out, split):
            copy = load_image(record.path).astype(np.float64)
            original = load_image(faces / split / record.path.name).astype(np.float64)
            assert np.abs(copy - original).mean() < 4.0
    assert not (out / 'test').exists()


def test_a_limit_that_cannot_be_kept_is_refused(faces: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match='do not fit'):
        pack(faces, tmp_path / 'small', ['train'], 5_000)
