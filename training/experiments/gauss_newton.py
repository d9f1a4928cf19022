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

"""Moves weights by one Gauss-Newton step of the figures themselves.

``python -m training.experiments.gauss_newton RUN W W... --data FACES --out MOVED``

RUN is the folder of the run to go on from; each W, the folder of a run or a shipped FP32 file of
the same layout, is a way to go. How the figures of some hundred degraded training faces respond is
derived, along the way of each output channel towards each W, along its growth, and along each bias:
some twenty thousand moves. One step follows from all of it. Where stochastic steps with batches of
a dozen windows get lost in their noise, on a CPU, this knows of each move how sure it is: the step
keeps to moves that help most faces and change single ones little. Three such steps, each from where
the one before ended, are worth more than one that is three times as long.

With ``--filmed``, faces that were filmed and fused count as a set of their own
(`benchmarks.filmed_faces` films them).

The responses are kept in the run's folder: started again, it goes on measuring, and once all faces
are measured it only computes the step anew, for another ``--length``, ``--ridge`` or ``--weigh``.
"""

from __future__ import annotations

import argparse
import functools
import hashlib
from collections.abc import Collection, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from tqdm import tqdm

from training.data.crops import aligned, prepare, to_tensor
from training.data.manifest import FaceRecord, read_manifest, read_names
from training.degradation import SAMPLERS
from training.evaluation.validation_faces import eight_bits
from training.experiments.mixtures import fingerprint, scale_modules, with_weights
from training.experiments.responses.figures import FIGURES, TYPICAL, Judges, responses
from training.experiments.responses.filmed_faces import FILMED, read_filmed_faces
from training.experiments.responses.moves import Moves
from training.experiments.responses.solve import gauss_newton
from training.export.shipped import read_network
from training.run.checkpoint import CHECKPOINT, read_run, save_atomically

RESPONSES, FILMED_RESPONSES = 'responses.npz', 'responses_filmed.npz'

#: Sets in the order in which the faces take them.
ORDER = (
    'car', 'general', 'motion', 'car', 'fused', 'mosaic', 'motion', 'general', 'motion',
    'low_light', 'car',
)  # fmt: skip

#: How much each of `FIGURES` matters in each set, divided by its mean. LPIPS of the first cycle may
#: rise where the third is to fall further below it.
WANTED = {
    'car': (-0.2, 1.4, 0.25, 2.0, 0.0),
    'general': (0.1, 0.6, 0.25, 1.0, 0.0),
    'motion': (0.1, 1.0, 0.25, 1.0, 0.0),
    'mosaic': (-0.1, 0.3, 0.15, 0.2, 0.6),
    'fused': (0.1, 0.3, 0.1, 1.0, 0.0),
    'low_light': (0.0, 0.1, 0.1, 0.4, 0.0),
    FILMED: (0.3, 0.6, 0.25, 1.0, 0.0),
}

#: Shares of portraits in studio light, of photographs of other kinds, and of all faces, among the
#: faces that are drawn: about as among the people that are tested.
_STUDIO, _VARIED = ('congress118', 'ussenate'), ('pixabay',)
_SHARES = (0.35, 0.45, 0.2)

#: Faces after which what was measured is saved.
_SAVE_EVERY = 20


@dataclass(frozen=True)
class Task:
    """What every process needs.

    Attributes:
        weights: Paths of the weights to move and of those to go towards.
        data: Folder with MANIFEST.tsv.
        exclude: List of training images to leave out.
        seed: Seed of faces and degradations; face i gets (seed, i).
        sets: Names of the sets that the faces take in turn.
        filmed: File of filmed and fused faces for the set `FILMED`; None if it does not occur.

    """

    weights: tuple[Path, ...]
    data: Path
    exclude: Path
    seed: int
    sets: tuple[str, ...]
    filmed: Path | None = None

    def set_of(self, number: int) -> str:
        """Return the set of a face by its number."""
        return self.sets[number % len(self.sets)]


class Measurer:
    """Measures faces by their number."""

    def __init__(self, task: Task) -> None:
        """Load weights, judges and the list of faces.

        Args:
            task: What is measured.

        Raises:
            FileNotFoundError, ValueError: Weights or faces cannot be read, or do not fit.

        """
        torch.set_num_threads(1)
        self._task = task
        self._network = read_network(task.weights[0])
        others = [read_network(path).state_dict() for path in task.weights[1:]]
        self.moves = Moves(self._network.state_dict(), others)
        left_out = read_names(task.exclude)
        everyone = [r for r in read_manifest(task.data, 'train') if r.path.name not in left_out]
        self._pools = [_named(everyone, _STUDIO), _named(everyone, _VARIED), everyone]
        self._filmed = read_filmed_faces(task.filmed) if task.filmed else []
        self._judges = Judges()

    def __call__(self, number: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Return the figures of a face, (5,), and its responses, (5, M)."""
        name = self._task.set_of(number)
        degraded, truth = self._filmed[number] if name == FILMED else self._degraded(name, number)
        return responses(self._network, self.moves, degraded, truth, self._judges, TYPICAL[name])

    def _degraded(self, name: str, number: int) -> tuple[Tensor, Tensor]:
        """Return a training face, degraded as in a set, and its truth."""
        rng = np.random.default_rng((self._task.seed, number))
        pool = self._pools[int(rng.choice(len(_SHARES), p=_SHARES))]
        clean = to_tensor(aligned(pool[int(rng.integers(len(pool)))]))
        plan = SAMPLERS[name](rng)
        return prepare(eight_bits(plan(clean))), plan.truth(clean)


def _named(records: Sequence[FaceRecord], sources: Sequence[str]) -> list[FaceRecord]:
    """Return the faces of some sources; all, if the folder has none of them."""
    return [record for record in records if record.source in sources] or list(records)


@functools.cache
def _measurer(task: Task) -> Measurer:
    return Measurer(task)


def _measure(task: Task, number: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    return _measurer(task)(number)


def measured(task: Task, of: str, faces: int, processes: int, path: Path) -> tuple[Any, Any]:
    """Measure faces, or go on measuring them.

    Args:
        task: What is measured.
        of: Hash of what is measured, see `_fingerprint`.
        faces: Number of faces.
        processes: Number of processes, a core each.
        path: File that keeps what was measured.

    Returns:
        (faces, 5) float32 figures and (faces, 5, M) float32 responses.

    Raises:
        ValueError: The file is of other weights, faces or seeds.

    """
    figures: list[NDArray[np.float32]] = []
    slopes: list[NDArray[np.float32]] = []
    if path.is_file():
        with np.load(path) as saved:
            if str(saved['of']) != of:
                raise ValueError(f"'{path}' was measured for something else; give another --out")
            figures, slopes = list(saved['figures']), list(saved['slopes'])
    context = get_context('spawn')
    with ProcessPoolExecutor(processes, mp_context=context) as pool:
        for figure, slope in tqdm(
            _in_order(pool, task, range(len(figures), faces), processes),
            total=faces, initial=len(figures), unit='face',
        ):  # fmt: skip
            figures.append(figure)
            slopes.append(slope)
            if len(figures) % _SAVE_EVERY == 0 or len(figures) == faces:
                _save(path, of, figures, slopes)
    return np.stack(figures[:faces]), np.stack(slopes[:faces])


def _in_order(
    pool: ProcessPoolExecutor, task: Task, numbers: Sequence[int], processes: int
) -> Iterator[tuple[NDArray[np.float32], NDArray[np.float32]]]:
    """Measure faces, of which few wait: each has megabytes of responses."""
    waiting = []
    for number in numbers:
        waiting.append(pool.submit(_measure, task, number))
        if len(waiting) > 2 * processes:
            yield waiting.pop(0).result()
    for future in waiting:
        yield future.result()


def _save(path: Path, of: str, figures: Sequence[Any], slopes: Sequence[Any]) -> None:
    new = path.with_suffix('.new.npz')
    np.savez(new, of=of, figures=np.stack(figures), slopes=np.stack(slopes))
    new.replace(path)


def _fingerprint(task: Task, weights: Sequence[Mapping[str, Tensor]]) -> str:
    """Return a hash of the weights and the seed, and of the faces' list."""
    digest = hashlib.sha256(f'{task.seed} {task.sets}'.encode())
    for one in weights:
        digest.update(fingerprint(one).encode())
    digest.update((task.data / 'MANIFEST.tsv').read_bytes() + task.exclude.read_bytes())
    if task.filmed:
        digest.update(task.filmed.read_bytes())
    return digest.hexdigest()


def by_set(task: Task, figures: Any, slopes: Any) -> dict[str, NDArray[np.float64]]:
    """Return the responses for each set, (faces, 5, M), relative to the set's mean figures."""
    names = np.array([task.set_of(number) for number in range(len(figures))])
    found = {}
    for name in dict.fromkeys(names):
        of = names == name
        means = figures[of].astype(np.float64).mean(axis=0)
        # Sums and differences of logarithms of errors are relative already.
        means[[FIGURES.index('error'), FIGURES.index('drift')]] = 2.0, 1.0
        found[str(name)] = slopes[of].astype(np.float64) / means[:, None]
    return found


def weighed(sets: Collection[str], factors: Sequence[tuple[str, str]]) -> dict[str, float]:
    """Return how much each set matters.

    Args:
        sets: Names of the sets.
        factors: Pairs of a set and its factor, as a command line has them.

    Raises:
        ValueError: A set is not among `sets`, or a factor is not a number above 0.

    """
    found = dict.fromkeys(sets, 1.0)
    for name, factor in factors:
        if name not in found:
            raise ValueError(f"--weigh: no face is of the set '{name}', only of {', '.join(found)}")
        try:
            found[name] = float(factor)
        except ValueError:
            found[name] = 0.0
        if not 0.0 < found[name] < float('inf'):
            raise ValueError(f"--weigh {name}: the factor must be a number above 0, got '{factor}'")
    return found


def main() -> None:
    """Measure, take the step, and write the moved weights as a run's checkpoint."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('run', type=Path, help='folder of the run to go on from')
    parser.add_argument('towards', nargs='+', type=Path, help="runs' folders or FP32 files")
    parser.add_argument('--data', type=Path, required=True, help='folder with MANIFEST.tsv')
    parser.add_argument('--exclude', type=Path, required=True, help='images to leave out')
    parser.add_argument('--out', type=Path, required=True, help="the moved run's folder")
    parser.add_argument('--faces', type=int, default=638, help='that are measured, default 638')
    parser.add_argument(
        '--sets', nargs='+', choices=sorted(set(ORDER)), default=ORDER,
        help='that faces take in turn',
    )  # fmt: skip
    parser.add_argument('--filmed', type=Path, help='file of benchmarks.filmed_faces')
    parser.add_argument('--seed', type=int, default=0, help='of faces and degradations')
    parser.add_argument(
        '--weigh', nargs=2, action='append', default=[], metavar=('SET', 'FACTOR'),
        help='set that matters more, or less, than the others',
    )  # fmt: skip
    parser.add_argument('--ridge', type=float, default=1.0, help='more: fewer, surer moves')
    parser.add_argument(
        '--length', type=float, default=0.03, help="change of single faces' figures, default 0.03"
    )
    parser.add_argument(
        '--scale', nargs=2, action='append', default=[], metavar=('MODULE', 'FACTOR'),
        help='module to scale after the step, see mix_parts',
    )  # fmt: skip
    parser.add_argument('--processes', type=int, default=1, help='a core each')
    args = parser.parse_args()
    if args.faces < len(args.sets):
        raise SystemExit(f'--faces must be {len(args.sets)} at least: one for each of --sets')
    try:
        # What is wrong in the command line is said before half an hour of measuring.
        names = (*args.sets, FILMED) if args.filmed else args.sets
        weights_of = weighed(names, args.weigh)
        state = read_run(args.run, 'RUN')
        task = Task((args.run, *args.towards), args.data, args.exclude, args.seed, tuple(args.sets))
        read = [read_network(path).state_dict() for path in task.weights]
        moves = Moves(read[0], read[1:])
        args.out.mkdir(parents=True, exist_ok=True)
        parts = [(task, args.faces, RESPONSES)]
        if args.filmed:
            filmed = replace(task, sets=(FILMED,), filmed=args.filmed)
            parts.append((filmed, len(read_filmed_faces(args.filmed)), FILMED_RESPONSES))
        found: dict[str, NDArray[np.float64]] = {}
        for part, faces, name in parts:
            of = _fingerprint(part, read)
            found |= by_set(part, *measured(part, of, faces, args.processes, args.out / name))
        wanted = {name: weights_of[name] * np.array(WANTED[name]) for name in found}
        step = gauss_newton(found, wanted, args.ridge, args.length)
        factors = [(module, float(factor)) for module, factor in args.scale]
        weights = scale_modules(moves.moved(step), factors)
    except (FileNotFoundError, ValueError) as error:
        raise SystemExit(str(error)) from error
    for name, slopes_of_set in found.items():
        changes = zip(FIGURES, 100.0 * slopes_of_set.mean(axis=0) @ step, strict=True)
        print(f'{name:10}', '  '.join(f'{figure} {c:+.2f}%' for figure, c in changes))
    taken = {
        'of': args.run.name, 'towards': [path.name for path in args.towards],
        'faces': args.faces, 'seed': args.seed, 'ridge': args.ridge, 'length': args.length,
        **({'filmed': len(found[FILMED])} if args.filmed else {}),
        **({'weigh': {n: w for n, w in weights_of.items() if w != 1.0}} if args.weigh else {}),
        **({'scale': [list(one) for one in factors]} if factors else {}),
    }  # fmt: skip
    steps = [*state.get('figure_steps', []), taken]
    save_atomically({**with_weights(state, weights), 'figure_steps': steps}, args.out / CHECKPOINT)


if __name__ == '__main__':
    main()
