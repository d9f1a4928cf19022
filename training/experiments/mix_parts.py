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

"""Goes from some weights towards those of runs, by a share for each part of the network.

``python -m training.experiments.mix_parts W --towards RUN 0.8 1.3 0.4 0.7 --out MIXED``

W is the folder of a run or a shipped FP32 file. A share of 0 keeps a part of W, 1 takes that of
RUN, and more than 1 goes beyond it. ``--towards`` may be given several times: the differences of
the runs from W add up. Nothing is trained: between runs of one beginning, weights mostly restore as
well as either (Wortsman et al., "Model soups", ICML 2022), and what the runs differ in is not in
all parts alike. `training.experiments.mix_weights` learns shares instead.

``--scale MODULE FACTOR`` scales a module of the mixture: the whole of a convolution (`up4`,
`head`), or the branches of the residual blocks of a stage (`body`, `decode4`), whose shortcuts
stay. So the share of a scale in the picture, or the size of a step of the fixed point, is set by a
single number.
"""

from __future__ import annotations

import argparse
import hashlib
from pathlib import Path

from training.experiments.mixtures import PARTS, mix_parts, scale_modules, with_weights
from training.export.shipped import read_network
from training.run.checkpoint import CHECKPOINT, read_run, save_atomically


def main() -> None:
    """Mix and write a run's checkpoint, with discriminator and configuration of the first RUN.

    The checkpoint says what it was mixed of, and so do the cards of models exported from it.
    """
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('weights', type=Path, help="a run's folder or an FP32 file")
    parser.add_argument(
        '--towards', nargs='+', action='append', required=True, metavar=('RUN', 'SHARE'),
        help=f'folder of a run to go towards, and a share for each part: {", ".join(PARTS)}',
    )  # fmt: skip
    parser.add_argument(
        '--scale', nargs=2, action='append', default=[], metavar=('MODULE', 'FACTOR'),
        help='module of the mixture to scale',
    )  # fmt: skip
    parser.add_argument('--out', type=Path, required=True, help="the mixture's folder")
    args = parser.parse_args()
    if (args.out / CHECKPOINT).exists():
        raise SystemExit(f"'{args.out / CHECKPOINT}' exists; give another folder")
    try:
        state = read_run(Path(args.towards[0][0]), 'RUN')
        base = read_network(args.weights).state_dict()
        towards = (
            (read_network(Path(run)).state_dict(), [float(share) for share in shares])
            for run, *shares in args.towards
        )
        factors = [(module, float(factor)) for module, factor in args.scale]
        mixed = scale_modules(mix_parts(base, towards), factors)
    except (FileNotFoundError, ValueError) as error:
        raise SystemExit(str(error)) from error
    args.out.mkdir(parents=True, exist_ok=True)
    mixture = {
        'of': args.weights.name,
        # A file of the same name may take its place: the mixture itself, for one.
        'sha256': hashlib.sha256(
            (args.weights / CHECKPOINT if args.weights.is_dir() else args.weights).read_bytes()
        ).hexdigest(),
        'towards': [
            {'run': Path(run).name, **dict(zip(PARTS, map(float, shares), strict=True))}
            for run, *shares in args.towards
        ],
        **({'scale': [list(one) for one in factors]} if factors else {}),
    }
    save_atomically({**with_weights(state, mixed), 'mixture': mixture}, args.out / CHECKPOINT)


if __name__ == '__main__':
    main()
