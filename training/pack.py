"""Make a small copy of a folder of faces: ``python -m training.pack --data F --out G``.

A borrowed GPU is often reached through a narrow door. The copy has the same manifest and
splits; its images are compressed again, all at the one JPEG quality that fills the limit.
"""

from __future__ import annotations

import argparse
import csv
import shutil
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from tqdm import tqdm

from training.data import load_image

#: Below this quality the blocks would be learned as if faces had them.
LOWEST_QUALITY = 80


def choose_quality(paths: Sequence[Path], limit_bytes: float) -> int:
    """Return the highest JPEG quality at which all images fit, judged by every 20th.

    Raises:
        ValueError: they do not fit at `LOWEST_QUALITY`.

    """
    images = [load_image(path) for path in paths[::20]]
    for quality in range(95, LOWEST_QUALITY - 1, -1):
        size = sum(len(_encode(image, quality)) for image in images)
        if size * len(paths) / len(images) < 0.97 * limit_bytes:
            return quality
    raise ValueError(
        f'{len(paths)} images do not fit into {limit_bytes / 1e6:.0f} MB at JPEG quality '
        f'{LOWEST_QUALITY}; allow more, or name fewer splits'
    )


def _encode(image: np.ndarray, quality: int) -> bytes:
    _, data = cv2.imencode('.jpg', image, [cv2.IMWRITE_JPEG_QUALITY, quality])
    return data.tobytes()


def pack(source: Path, target: Path, splits: Sequence[str], limit_bytes: float) -> int:
    """Write the copy; return the quality used.

    Args:
        source: folder with MANIFEST.tsv.
        target: folder to be made.
        splits: which to take along.
        limit_bytes: for all files together.

    Raises:
        ValueError: see `choose_quality`.

    """
    with (source / 'MANIFEST.tsv').open(newline='', encoding='utf-8') as stream:
        rows = [row for row in csv.DictReader(stream, delimiter='\t') if row['split'] in splits]
    paths = [source / row['split'] / row['file'] for row in rows]
    manifest = (source / 'MANIFEST.tsv').stat().st_size
    quality = choose_quality(paths, limit_bytes - manifest)
    for row, path in zip(rows, tqdm(paths, unit='face')):
        (target / row['split']).mkdir(parents=True, exist_ok=True)
        # The name stays, so that the manifest does: the content tells the format.
        (target / row['split'] / row['file']).write_bytes(_encode(load_image(path), quality))
    # Unchanged, so that its hash goes on naming the data.
    shutil.copy(source / 'MANIFEST.tsv', target / 'MANIFEST.tsv')
    return quality


def main() -> None:
    """Parse the command line and pack."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--data', type=Path, required=True, help='folder with MANIFEST.tsv')
    parser.add_argument('--out', type=Path, required=True, help='folder to write')
    parser.add_argument('--megabytes', type=float, default=55.0, help='limit of the copy')
    parser.add_argument('--splits', nargs='*', default=['train', 'val'])
    args = parser.parse_args()
    quality = pack(args.data, args.out, args.splits, args.megabytes * 1e6)
    print(f'{args.out}: JPEG quality {quality}')


if __name__ == '__main__':
    main()
