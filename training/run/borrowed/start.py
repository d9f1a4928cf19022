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

"""Put the parts together and train: ``python start.py --seconds 555``.

`training.tools.pack` puts this script beside the parts. It needs a Python with PyTorch, NumPy,
OpenCV, onnx and PyYAML, and nothing of the project: that is in the parts. What it leaves in the
folder of ``--out`` goes home, where ``python -m training.tools.from_borrowed`` makes a run's
checkpoint of it.
Started again, it goes on where it was until the seconds are spent.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib
import io
import json
import shutil
import sys
import tarfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

#: What `training.tools.pack` names the list of the parts.
LISTING = 'parts.json'

#: File among the unpacked ones that names the module which trains (`training.run.borrowed.layout`).
SESSION = 'session.txt'


def check_slices(slices: Sequence[Mapping[str, Any]], folder: Path) -> list[Path]:
    """Return the paths of a sliced file's slices in their order.

    Args:
        slices: Slices, of each its `file` and its `sha256`.
        folder: Folder that holds the slices.

    Raises:
        ValueError: A slice is missing or damaged; all such slices are named.

    """
    wrong = []
    paths = [folder / entry['file'] for entry in slices]
    for path, entry in zip(paths, slices):
        if not path.is_file():
            wrong.append(f'{path} is missing')
        elif hashlib.sha256(path.read_bytes()).hexdigest() != entry['sha256']:
            wrong.append(f'{path} is damaged')
    if wrong:
        raise ValueError(f'{"; ".join(wrong)}. Copy it there once more')
    return paths


class Joined(io.RawIOBase):
    """Reads a sliced file from its beginning to its end, as one."""

    def __init__(self, paths: Sequence[Path]) -> None:
        """Begin with the first slice."""
        self._paths = list(paths)
        self._stream = io.BytesIO()

    def readable(self) -> bool:
        """Say yes."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Read into a buffer; return the number of bytes, 0 at the end of the last slice."""
        count = self._stream.readinto(buffer)
        while not count and self._paths:
            # Slices are small enough to be held.
            self._stream = io.BytesIO(self._paths.pop(0).read_bytes())
            count = self._stream.readinto(buffer)
        return count


def unpack(parts: Path, work: Path) -> None:
    """Put the parts together in a folder, unless that was done before.

    Args:
        parts: Folder with the parts and their listing.
        work: Folder to be made.

    Raises:
        FileNotFoundError: The listing is missing.
        ValueError: A part is missing or damaged, or the folder holds something else.

    """
    if not (parts / LISTING).is_file():
        raise FileNotFoundError(f'{parts / LISTING} is missing; copy it there with the parts')
    listing = (parts / LISTING).read_bytes()
    done = work / LISTING
    if done.is_file():
        if done.read_bytes() != listing:
            raise ValueError(
                f'{work} was made of other parts; remove it, or name another by --work'
            )
        return
    if work.exists():
        raise ValueError(f'{work} holds something else; name another folder by --work')
    partial = work.with_name(work.name + '.partial')
    shutil.rmtree(partial, ignore_errors=True)
    paths = check_slices(json.loads(listing)['slices'], parts)
    with tarfile.open(fileobj=io.BufferedReader(Joined(paths)), mode='r|gz') as archive:
        if hasattr(tarfile, 'data_filter'):
            archive.extractall(partial, filter='data')
        else:
            archive.extractall(partial)
    (partial / LISTING).write_bytes(listing)
    partial.rename(work)


def main() -> None:
    """Unpack and train."""
    here = Path(__file__).resolve().parent
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        '--seconds', type=float, required=True, help='of training; unpacking comes before them'
    )
    parser.add_argument('--parts', type=Path, default=here, help='default: beside this script')
    parser.add_argument('--work', type=Path, default=Path('work'), help='folder to unpack into')
    parser.add_argument(
        '--out', type=Path, default=Path('results'), help='folder of what goes home'
    )
    parser.add_argument('--device', help="'cpu' or 'cuda'; default: a GPU where there is one")
    args = parser.parse_args()
    if args.seconds <= 0:
        parser.error('--seconds must be above 0')
    try:
        unpack(args.parts, args.work)
    except (OSError, ValueError, tarfile.TarError) as error:
        sys.exit(f'error: {error}')
    # The first place, so that what was packed comes before what may be installed.
    sys.path.insert(0, str(args.work.resolve()))
    session = importlib.import_module((args.work / SESSION).read_text(encoding='utf-8'))
    session.train_for(args.work, args.out, args.seconds, args.device)


if __name__ == '__main__':
    main()
