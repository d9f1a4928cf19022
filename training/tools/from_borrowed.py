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

"""Go on from a borrowed machine: ``python -m training.tools.from_borrowed --results R --out RUN``.

Makes a run's checkpoint, with its log, of what `start.py` left there (`training.tools.pack`). The
run can be exported, compared, packed again, or trained on with a config that leads beyond its step;
the network's optimiser begins anew, so the learning rate should begin low.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from training.run.borrowed.results import make_run


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
