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

"""Finds what has changed between two replays of the same bag."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from cfrnet_ros.replay import tables
from cfrnet_ros.replay.bag_reader import BagReader
from cfrnet_ros.replay.errors import ReplayError
from cfrnet_ros.replay.frames import DROPPED, PROCESSED
from cfrnet_ros.replay.measure import psnr
from cfrnet_ros.replay.pictures import Picture, StampFinder
from cfrnet_ros.replay.plan import FACE_TOPIC
from cfrnet_ros.replay.recording import decode_image
from cfrnet_ros.replay.results import FORMAT, SUMMARY

Key = tuple[int, int]


@dataclass(frozen=True)
class Limits:
    """Limits of the change that a comparison accepts.

    Attributes:
        min_psnr: PSNR in dB below which crops of A and B count as different.
        max_differing: Largest share of the frames that may differ, 0..1.
        max_psnr_drop: Largest drop of a pass's mean PSNR against the ground truth, in dB; not
            judged if the bag has no ground truth.
        max_latency_ratio: Largest ratio of B's to A's latency, for the median and for the 95th
            percentile; 0 for no limit.

    Raises:
        ValueError: A value is out of range.

    """

    min_psnr: float = 40.0
    max_differing: float = 0.0
    max_psnr_drop: float = 0.1
    max_latency_ratio: float = 2.0

    def __post_init__(self) -> None:
        """Check the ranges."""
        for name, low, high in (
            ('min_psnr', 0, 150),
            ('max_differing', 0, 1),
            ('max_psnr_drop', 0, 100),
            ('max_latency_ratio', 0, 1e6),
        ):
            if not low <= getattr(self, name) <= high:
                raise ValueError(f'{name} must be from {low} to {high:g}')


@dataclass(frozen=True)
class Run:
    """Results of one replay.

    Attributes:
        path: Folder of the results.
        summary: Content of `summary.json`.
        frames: Lines of `frames.csv` by pass and index.
        faces: Lines of `faces.csv` by pass and index, in the order of the crops.

    """

    path: Path
    summary: Mapping[str, Any]
    frames: Mapping[Key, Mapping[str, str]]
    faces: Mapping[Key, list[Mapping[str, str]]]

    @classmethod
    def load(cls, path: Path) -> Run:
        """Read the result folder of a replay.

        Raises:
            ReplayError: The folder does not hold the results of a replay.

        """
        file = path / SUMMARY
        try:
            summary = json.loads(file.read_text(encoding='utf-8'))
        except (OSError, ValueError) as error:
            raise ReplayError(
                f"'{path}' does not hold the results of a replay: {file.name} cannot be read"
                f' ({error})'
            ) from error
        if not isinstance(summary, dict) or summary.get('format') != FORMAT:
            raise ReplayError(f"'{file}' was written by another version; replay the bag again")
        needed = ('pass', 'index', 'bag_stamp_ns', 'stamp_ns', 'outcome', 'faces')
        frames = tables.read_table(path / tables.FRAMES, (*needed, 'cycles_used', 'total_ms'))
        faces: dict[Key, list[Mapping[str, str]]] = {}
        for row in tables.read_table(path / tables.FACES, ('pass', 'index', 'track_id', 'cycles')):
            faces.setdefault(_key(row), []).append(row)
        return cls(path, summary, {_key(row): row for row in frames}, faces)

    def crops(self) -> Iterator[tuple[Key, list[Picture]]]:
        """Yield the crops of each frame that has any, in the order of the frames.

        Raises:
            BagError: The recording cannot be read.

        """
        with BagReader(self.path / 'restored') as bag:
            finder = StampFinder(bag, FACE_TOPIC)
            for key in sorted(self.frames):
                row = self.frames[key]
                if int(row['faces']):
                    found = finder.take(int(row['stamp_ns']), int(row['faces']))
                    yield key, [decode_image(message) for message in found]


@dataclass(frozen=True)
class Difference:
    """A frame that differs between the two replays.

    Attributes:
        key: Pass and index of the frame.
        changes: Changes in words.
        psnr: PSNR in dB of the two crops that differ most; infinite if no crop differs.

    """

    key: Key
    changes: list[str]
    psnr: float


@dataclass
class Comparison:
    """Findings of a comparison.

    Attributes:
        a: Older replay.
        b: Newer replay.
        limits: Limits of the comparison.
        compared: Number of frames that both replays processed.
        identical: Number of compared frames whose crops are equal pixel by pixel.
        skipped: Number of frames that one of the replays dropped, and which are not compared.
        differences: Frames that differ.
        figures: Figures of each pass: name to (value of A, value of B).
        notes: Other changes that may explain a difference.
        problems: Findings beyond the limits; empty if B is as good as A.

    """

    a: Run
    b: Run
    limits: Limits
    compared: int = 0
    identical: int = 0
    skipped: int = 0
    differences: list[Difference] = field(default_factory=list)
    figures: list[dict[str, tuple[float, float]]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


def compare_runs(a: Path, b: Path, limits: Limits) -> Comparison:
    """Compare two replays of one bag.

    Args:
        a: Folder of the older replay.
        b: Folder of the newer replay.
        limits: Limits of the change that is accepted.

    Raises:
        ReplayError: A folder does not hold the results of a replay, or the replays are of
            different bags, topics or cycles.

    """
    old, new = Run.load(a), Run.load(b)
    _require_comparable(old, new)
    found = Comparison(old, new, limits)
    _compare_frames(found)
    _compare_passes(found)
    _note(found)
    allowed = math.floor(limits.max_differing * found.compared + 1e-9)
    if len(found.differences) > allowed:
        found.problems.insert(
            0, f'{len(found.differences)} of {found.compared} frames differ; the limit is {allowed}'
        )
    return found


def _key(row: Mapping[str, str]) -> Key:
    try:
        return int(row['pass']), int(row['index'])
    except ValueError as error:
        raise ReplayError(f'a line of a table does not describe a frame: {dict(row)}') from error


def _require_comparable(a: Run, b: Run) -> None:
    for what in ('topic', 'cycles'):
        first, second = (
            [p['cycles'] for p in run.summary['passes']] if what == 'cycles' else run.summary[what]
            for run in (a, b)
        )
        if first != second:
            raise ReplayError(
                f'the replays cannot be compared: {what} is {first} in A, {second} in B'
            )
    stamps = [{key: row['bag_stamp_ns'] for key, row in run.frames.items()} for run in (a, b)]
    if stamps[0] != stamps[1]:
        raise ReplayError(
            f"the replays cannot be compared: A played '{a.summary['bag']}' with {len(a.frames)}"
            f" frames, B '{b.summary['bag']}' with {len(b.frames)}, and their stamps differ"
        )


def _compare_frames(found: Comparison) -> None:
    a, b = found.a, found.b
    crops_a, crops_b = a.crops(), b.crops()
    pair_a, pair_b = next(crops_a, None), next(crops_b, None)
    for key in sorted(a.frames):
        mine: list[Picture] = []
        other: list[Picture] = []
        if pair_a is not None and pair_a[0] == key:
            mine, pair_a = pair_a[1], next(crops_a, None)
        if pair_b is not None and pair_b[0] == key:
            other, pair_b = pair_b[1], next(crops_b, None)
        old, new = a.frames[key], b.frames[key]
        if DROPPED in (old['outcome'], new['outcome']):
            found.skipped += 1
            continue
        found.compared += 1
        changes = [
            f'{name} {old[column]} -> {new[column]}'
            for name, column in (
                ('outcome', 'outcome'),
                ('faces', 'faces'),
                ('cycles', 'cycles_used'),
                ('tracks', 'track_ids'),
            )
            if old[column] != new[column]
        ]
        least = math.inf
        if len(mine) != int(old['faces']) or len(other) != int(new['faces']):
            changes.append(f'crops recorded {len(mine)} -> {len(other)}')
        for one, two in zip(mine, other):
            if one.shape != two.shape:
                changes.append(f'crop {one.shape[1]} px -> {two.shape[1]} px')
            elif not np.array_equal(one, two):
                least = min(least, psnr(one, two))
        if least < found.limits.min_psnr:
            changes.append(f'crops differ: PSNR {least:.1f} dB')
        found.identical += not changes and math.isinf(least)
        if changes:
            found.differences.append(Difference(key, changes, least))


def _compare_passes(found: Comparison) -> None:
    limits = found.limits
    for place, (old, new) in enumerate(zip(found.a.summary['passes'], found.b.summary['passes'])):
        figures = {
            name: (_number(old.get(name)), _number(new.get(name)))
            for name in (
                *('frames_with_face', 'crops', 'restored', 'tracks', 'dropped', 'rejected'),
                *('psnr_after_mean', 'sharpness_after_mean', 'flicker_after_mean'),
            )
        }
        for quantile in (50, 95):
            times = [_totals(run, place, quantile) for run in (found.a, found.b)]
            figures[f'total_p{quantile}_ms'] = (times[0], times[1])
            ratio = times[1] / times[0] if times[0] > 0 else math.nan
            if limits.max_latency_ratio and ratio > limits.max_latency_ratio:
                found.problems.append(
                    f'k = {old["cycles"]}: latency p{quantile} is {times[1]:.1f} ms,'
                    f' {ratio:.2f} times the {times[0]:.1f} ms of A; the limit is'
                    f' {limits.max_latency_ratio:g} times'
                )
        before, after = figures['psnr_after_mean']
        if before - after > limits.max_psnr_drop:
            found.problems.append(
                f'k = {old["cycles"]}: PSNR against the ground truth fell from {before:.2f} to'
                f' {after:.2f} dB; the limit is a drop of {limits.max_psnr_drop:g} dB'
            )
        found.figures.append(figures)


def _totals(run: Run, place: int, quantile: int) -> float:
    values = [
        float(row['total_ms'])
        for (number, _), row in run.frames.items()
        if number == place and row['outcome'] == PROCESSED and row['total_ms']
    ]
    return float(np.percentile(values, quantile)) if values else math.nan


def _note(found: Comparison) -> None:
    a, b = found.a.summary, found.b.summary
    for what in ('mode', 'machine', 'provider'):
        if a.get(what) != b.get(what):
            found.notes.append(f'{what}: {a.get(what)} -> {b.get(what)}')
    if a['model'].get('sha256') != b['model'].get('sha256'):
        found.notes.append(
            f'different model file: {a["model"].get("name")} ({a["model"].get("precision")}) ->'
            f' {b["model"].get("name")} ({b["model"].get("precision")})'
        )
    changed = [
        f'{name}: {a["parameters"].get(name)} -> {b["parameters"].get(name)}'
        for name in sorted({*a['parameters'], *b['parameters']})
        if a['parameters'].get(name) != b['parameters'].get(name)
    ]
    found.notes += changed


def runs_of(indices: list[int]) -> str:
    """Return sorted numbers as ranges, for example '3-5, 9'."""
    if not indices:
        return ''
    parts, start = [], indices[0]
    for here, following in pairwise([*indices, indices[-1] + 2]):
        if following != here + 1:
            parts.append(f'{start}' if start == here else f'{start}-{here}')
            start = following
    return ', '.join(parts)


def _number(value: Any) -> float:
    return math.nan if value is None else float(value)
