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

"""Says which figures are of the weights that ship, and measures the others again.

``python -m benchmarks.shipped_figures`` lists the files of figures that pages quote for the shipped
models, each with whether it was measured with the files that ship, by the hashes that it holds.
``--measure --faces FACES --clips CLIPS --frames FRAMES`` (``make figures``) runs the commands of
those that were not, one after another, each in the environment that it needs, and draws the
pictures of the README with new weights. What was stopped goes on where it was: a file that has
become current is not measured again.

Two benchmarks compare files of one run with each other, in which only the difference counts, and
keep what they have: ``benchmarks/crop_size.json`` and ``benchmarks/io_formats.json``.
"""

from __future__ import annotations

import argparse
import functools
import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cfrnet_ros.vision.engine.model_card import load_card
from cfrnet_ros.vision.engine.models import FAMILIES, shipped_models

ROOT = Path(__file__).resolve().parent.parent

#: Main network as it ships in eight bits, which most figures are of, and in 32 bits.
INT8, FP32 = (f'{FAMILIES["auto"]}_{precision}' for precision in ('int8', 'fp32'))

#: Environments of the Makefile: with ROS, and with PyTorch.
ROS, TRAINING = '.venv', '.venv-training'


@dataclass(frozen=True)
class Figures:
    """File of figures of shipped models.

    Attributes:
        file: Path of the JSON file in the repository.
        hashes: SHA-256 values that it holds: the keys that lead to each, and the name of the model.
        command: Module and arguments that measure it; {faces}, {clips} and {frames} are folders.
        environment: Folder of the virtual environment that the command needs.
        minutes: Minutes of one core that it takes on AVX-512 with VNNI, about.

    """

    file: str
    hashes: Mapping[tuple[str, ...], str]
    command: tuple[str, ...]
    environment: str
    minutes: int

    def words(self, **folders: str) -> list[str]:
        """Return the command with its folders; a folder that is not given keeps its name."""
        names = {'faces': 'FACES', 'clips': 'CLIPS', 'frames': 'FRAMES', **folders}
        return [word.format(**names) for word in self.command]


_Hashes = Mapping[tuple[str, ...], str]

_MODEL: _Hashes = {('model_sha256',): INT8}
_SHA256: _Hashes = {('sha256',): INT8}
_BLINKS = 'benchmarks.blink_detection'
#: Command that films the scenes once, and measures them with two strengths.
_TWO_STRENGTHS = (
    _BLINKS, '--jobs', '2', '--strength', '1.0', '0.5',
    '--out', 'benchmarks/blink_detection.json', 'benchmarks/blink_detection_strength.json',
)  # fmt: skip

#: Files of figures in the order of measuring.
FIGURES = (
    Figures(
        'docs/results.json',
        {('models', name, 'sha256'): name for name in (INT8, FP32)},
        ('training.tools.evaluate', '--data', '{faces}', '--only', INT8, FP32, '--replace'),
        TRAINING,
        58,
    ),
    Figures(
        'docs/groups.json', _MODEL, ('training.tools.evaluate_groups', '--data', '{faces}'),
        TRAINING, 4,
    ),
    Figures('benchmarks/blink_detection.json', _MODEL, _TWO_STRENGTHS, ROS, 30),
    Figures('benchmarks/blink_detection_strength.json', _MODEL, _TWO_STRENGTHS, ROS, 30),
    Figures(
        'benchmarks/blink_detection_motion.json',
        _MODEL,
        (
            _BLINKS, '--cases', 'Motion blur, 480 x 360', '--seeds', *map(str, range(1, 9)),
            '--jobs', '2', '--out', 'benchmarks/blink_detection_motion.json',
        ),
        ROS,
        12,
    ),
    Figures(
        'benchmarks/eye_guard.json', _MODEL, ('benchmarks.eye_guard', '--frames', '{frames}'),
        ROS, 3,
    ),
    Figures(
        'benchmarks/fusion.json',
        _SHA256,
        ('benchmarks.fusion', '--clips', '{clips}', '--jobs', '2'),
        TRAINING,
        22,
    ),
    Figures(
        'benchmarks/fusion_portraits.json',
        _SHA256,
        ('benchmarks.fusion_portraits', '--faces', '{faces}', '--clips', '{clips}', '--jobs', '2'),
        TRAINING,
        20,
    ),
    Figures(
        'benchmarks/fusion_strength.json', _SHA256,
        ('benchmarks.fusion_strength', '--clips', '{clips}'), TRAINING, 7,
    ),
    Figures(
        'benchmarks/fusion_variants.json', _SHA256,
        ('benchmarks.fusion_variants', '--clips', '{clips}'), TRAINING, 7,
    ),
    Figures('benchmarks/replay_bags.json', _SHA256, ('benchmarks.replay_bags',), ROS, 3),
    Figures(
        'benchmarks/fine_stage.json', _SHA256,
        ('benchmarks.fine_stage', '--data', '{faces}'), TRAINING, 2,
    ),
    Figures(
        'benchmarks/colour_noise.json', _SHA256,
        ('benchmarks.colour_noise', '--data', '{faces}'), TRAINING, 3,
    ),
)  # fmt: skip

#: Modules that draw pictures of restored faces for the README, and where.
PICTURES = (
    ('demo.make_film', 'docs/images'),
    ('demo.make_picture', 'docs/images/before_after.jpg'),
)


def differing(figures: Figures, root: Path = ROOT) -> list[str]:
    """Return the models whose shipped files are not those that figures were measured with.

    Args:
        figures: File of figures.
        root: Folder of the repository.

    Returns:
        Names of models; all of them if the file is missing.

    """
    path = root / figures.file
    content = json.loads(path.read_text(encoding='utf-8')) if path.is_file() else {}
    return [
        name for keys, name in figures.hashes.items() if _at(content, keys) != _shipped_sha256(name)
    ]


@functools.cache
def _shipped_sha256(name: str) -> str:
    """Return the hash of a shipped model, of which the whole file is read."""
    return load_card(shipped_models()[name]).sha256


def _at(content: Any, keys: Sequence[str]) -> Any:
    for key in keys:
        content = content.get(key) if isinstance(content, dict) else None
    return content


def report(root: Path = ROOT) -> str:
    """Return a line for each file of figures, and the command where it is not current."""
    lines = []
    for figures in FIGURES:
        models = differing(figures, root)
        if models:
            command = ' '.join(figures.words())
            lines.append(
                f'{figures.file}: not of the shipped {" and ".join(models)}; measure it by '
                f'{figures.environment}/bin/python -m {command} '
                f'({figures.minutes} minutes of one core)'
            )
        else:
            lines.append(f'{figures.file}: current')
    return '\n'.join(lines)


def measure(folders: Mapping[str, str]) -> int:
    """Measure what is not of the shipped files; returns the number of commands that failed.

    Args:
        folders: Folders that the commands need, by their names in `Figures.command`.

    """
    failed = 0
    due = [figures for figures in FIGURES if differing(figures)]
    # A command that writes two files runs once.
    once: dict[tuple[str, ...], Figures] = {}
    for figures in due:
        once.setdefault(figures.command, figures)
    for figures in once.values():
        print(f'{figures.file}: {figures.minutes} minutes of one core', flush=True)
        failed += _run(figures.environment, figures.words(**folders))
    # They hold no hash, and follow the others.
    for picture in PICTURES if due else ():
        failed += _run(ROS, picture)
    return failed


def _run(environment: str, words: Sequence[str]) -> bool:
    command = [str(ROOT / environment / 'bin' / 'python'), '-m', *words]
    # A sourced ROS 2 must not mix with the environments.
    clean = {name: value for name, value in os.environ.items() if name != 'PYTHONPATH'}
    code = subprocess.run(command, cwd=ROOT, env=clean, check=False).returncode
    if code:
        print(f'{" ".join(words)}: ended with {code}', file=sys.stderr, flush=True)
    return code != 0


def main(arguments: Sequence[str] | None = None) -> int:
    """List, or measure and list.

    Returns:
        Exit code: 1 if figures are of other files or a command failed, 0 otherwise.

    """
    parser = argparse.ArgumentParser(description=(__doc__ or '').splitlines()[0])
    parser.add_argument('--measure', action='store_true', help='measure what is of other files')
    parser.add_argument('--faces', type=Path, help='folder with MANIFEST.tsv')
    parser.add_argument('--clips', type=Path, help='folder with the clips of docs/fusion.md')
    parser.add_argument('--frames', type=Path, help='folder with frames of drivers (JPEG)')
    given = parser.parse_args(arguments)
    failed = 0
    if given.measure:
        folders = {name: getattr(given, name) for name in ('faces', 'clips', 'frames')}
        wrong = [name for name, path in folders.items() if path is None or not path.is_dir()]
        if wrong:
            parser.error(f'--measure needs a folder for --{", --".join(wrong)}')
        failed = measure({name: str(path.resolve()) for name, path in folders.items()})
    print(report())
    return int(failed > 0 or any(differing(figures) for figures in FIGURES))


if __name__ == '__main__':
    sys.exit(main())
