"""Pack a run for a borrowed machine: ``python -m training.pack --config C --data FACES --out P``.

Writes parts of a limited size and the script `start.py`, which puts them together there and trains
for so many seconds: ``python start.py --seconds 555``. The parts hold the training faces as WebP,
the frozen networks that the config asks for in half precision, the weights to go on from, and the
code.
``python -m training.from_borrowed`` makes a run's checkpoint of what comes back.
"""

from __future__ import annotations

import argparse
import gzip
import io
import itertools
import json
import shutil
import tarfile
from pathlib import Path

from tqdm import tqdm

from training.borrowed import contents
from training.borrowed import start as start_script
from training.borrowed.slices import Sliced
from training.config import load_config

#: Size of a part, bytes, at most, and the name from which the parts have theirs.
LIMIT_BYTES, ARCHIVE = 60_000_000, 'parts.tar.gz'


def pack(
    config: Path, data: Path, out: Path, run: Path | None = None, limit_bytes: int = LIMIT_BYTES
) -> list[Path]:
    """Write the parts, their listing and the script.

    Args:
        config: YAML file of the borrowed run; its schedules will go by the time alone.
        data: folder with MANIFEST.tsv.
        out: folder to be made.
        run: folder of the run to go on from, None = random weights.
        limit_bytes: size of a part, at most.

    Returns:
        The files' paths.

    Raises:
        FileNotFoundError: config, faces, the run's checkpoint or a critic's weights are missing.
        ValueError: the folder holds files already, the config is wrong or does not fit the run, or
            an image or a critic cannot be packed.

    """
    if out.exists() and any(out.iterdir()):
        raise ValueError(f"'{out}' holds files already; name a new folder")
    loaded = load_config(config)
    # What can be missing comes before the faces, which take longest.
    entries = itertools.chain(
        contents.start(run, loaded),
        contents.critics(loaded),
        contents.code(config),
        contents.faces(data, loaded.exclude),
    )
    partial = out.with_name(out.name + '.partial')
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    with (
        Sliced(partial, ARCHIVE, limit_bytes) as parts,
        gzip.GzipFile(fileobj=parts, mode='wb', compresslevel=6) as stream,
        tarfile.open(mode='w|', fileobj=stream) as archive,
    ):
        for name, content in tqdm(entries, desc='packing', unit='file'):
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    listing = json.dumps({'slices': parts.listing()}, indent=1)
    (partial / start_script.LISTING).write_text(listing + '\n', encoding='utf-8')
    script = Path(start_script.__file__)
    shutil.copy(script, partial / script.name)
    partial.rename(out)
    return sorted(out.iterdir())


def main() -> None:
    """Parse the command line and pack."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('--config', type=Path, required=True, help='YAML file of the borrowed run')
    parser.add_argument('--data', type=Path, required=True, help='folder with MANIFEST.tsv')
    parser.add_argument('--out', type=Path, required=True, help='folder to write')
    parser.add_argument('--run', type=Path, help='folder of the run to go on from')
    parser.add_argument(
        '--megabytes', type=float, default=LIMIT_BYTES / 1e6, help='size of a part, at most'
    )
    args = parser.parse_args()
    try:
        paths = pack(args.config, args.data, args.out, args.run, int(args.megabytes * 1e6))
    except (FileNotFoundError, ValueError) as error:
        raise SystemExit(f'error: {error}') from error
    for path in paths:
        print(f'{path}: {path.stat().st_size / 1e6:.1f} MB')
    print('on the borrowed machine: python start.py --seconds 555')


if __name__ == '__main__':
    main()
