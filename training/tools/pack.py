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

"""Pack a run for a borrowed machine.

``python -m training.tools.pack --config C --data FACES --out P``

Writes parts of a limited size and the script `start.py`, which puts them together there and trains
for so many seconds: ``python start.py --seconds 555``. The parts hold the training faces as WebP,
the frozen networks that the config asks for in half precision, the weights to go on from, and the
code.
``python -m training.tools.from_borrowed`` makes a run's checkpoint of what comes back. With
``--systems`` the rows of the comparison of systems are trained there, side by side
(``python -m training.experiments.compare_systems``, whose ``--results`` reads what comes back).
"""

from __future__ import annotations

import argparse
from pathlib import Path

from training.experiments.systems.packing import make_session
from training.experiments.systems.rows import GROUPS, ROWS
from training.run.borrowed.pack import LIMIT_BYTES, pack


def main() -> None:
    """Parse the command line and pack."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument('--config', type=Path, help='YAML file of the borrowed run')
    what.add_argument(
        '--systems',
        nargs='+',
        metavar='ROW',
        help=f'rows of the comparison of systems, or {" and ".join(GROUPS)}',
    )
    parser.add_argument('--data', type=Path, required=True, help='folder with MANIFEST.tsv')
    parser.add_argument('--out', type=Path, required=True, help='folder to write')
    parser.add_argument('--run', type=Path, help='folder of the run to go on from')
    parser.add_argument(
        '--megabytes', type=float, default=LIMIT_BYTES / 1e6, help='size of a part, at most'
    )
    args = parser.parse_args()
    try:
        limit = int(args.megabytes * 1e6)
        if args.systems:
            if args.run:
                raise ValueError('--run goes with --config: the rows of --systems begin anew')
            paths = pack(ROWS, args.data, args.out, None, limit, make_session(args.systems))
        else:
            paths = pack(args.config, args.data, args.out, args.run, limit)
    except (FileNotFoundError, ValueError) as error:
        raise SystemExit(f'error: {error}') from error
    for path in paths:
        print(f'{path}: {path.stat().st_size / 1e6:.1f} MB')
    print('on the borrowed machine: python start.py --seconds 555')


if __name__ == '__main__':
    main()
