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

"""Computes how well blinks were detected in the recordings of `blink_detection`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from examples.eyelids.monitor import EyelidMonitor
from examples.eyelids.perclos import Perclos

#: Origins of the crops, with their names in tables.
ORIGINS: dict[str, str] = {
    'clean': 'perfect camera',
    'camera': 'bad camera',
    'brightened': 'brightened',
    'blurred': 'brightened, blurred',
    'alone1': 'restored alone, k = 1',
    'alone2': 'restored alone, k = 2',
    'alone3': 'restored alone, k = 3',
    'fused': 'fused',
    'k1': 'fused, restored, k = 1',
    'k2': 'fused, restored, k = 2',
    'k3': 'fused, restored, k = 3',
}

#: Seconds by which detected and real closures are extended at both ends before they are checked for
#: overlap: a frame and a half at 15 Hz.
TOLERANCE_S = 0.1

#: Change of the eye aspect ratio from frame to frame above which the lids count as moving.
LEAST_SLOPE = 0.03


@dataclass(frozen=True)
class Recording:
    """Measurements of a filmed scene.

    Attributes:
        times: (n,) float64 times in seconds.
        truth: (n,) float64 openness of the lids, 0..1.
        ratios: Eye aspect ratios, (n,) float64 for each origin of crops, such as those of
            `ORIGINS`, NaN where no eyes were found; those of 'clean' among them.
        closures: Start and end in seconds of each real closure.

    """

    times: NDArray[np.float64]
    truth: NDArray[np.float64]
    ratios: Mapping[str, NDArray[np.float64]]
    closures: tuple[tuple[float, float], ...]


@dataclass(frozen=True)
class Detection:
    """Output of the example's monitor for a series of ratios.

    Attributes:
        openness: (n,) float64 openness, 0..1, NaN where it is unknown.
        closures: Start and end in seconds of each detected closure.
        perclos: PERCLOS at the end, 0..1.

    """

    openness: NDArray[np.float64]
    closures: tuple[tuple[float, float], ...]
    perclos: float


def detect(times: NDArray[np.float64], ratios: NDArray[np.float64]) -> Detection:
    """Run the example's monitor, frame by frame as in the node."""
    monitor = EyelidMonitor()
    openness = np.full(len(times), np.nan)
    closures: list[tuple[float, float]] = []
    perclos = 0.0
    for index, (time_s, ratio) in enumerate(zip(times, ratios)):
        if np.isnan(ratio):
            continue
        reading = monitor.add(float(time_s), float(ratio))
        openness[index] = np.nan if reading.openness is None else reading.openness
        if reading.closure is not None:
            closures.append((reading.closure.start_s, reading.closure.end_s))
        perclos = reading.perclos or 0.0
    return Detection(openness, tuple(closures), perclos)


def matches(
    found: Sequence[tuple[float, float]], real: Sequence[tuple[float, float]]
) -> list[int | None]:
    """Assign to each detected closure the first unassigned real one that it overlaps."""
    taken: set[int] = set()
    answer: list[int | None] = []
    for start, end in found:
        mine = next(
            (
                index
                for index, (begin, finish) in enumerate(real)
                if index not in taken
                and start - TOLERANCE_S < finish + TOLERANCE_S
                and end + TOLERANCE_S > begin - TOLERANCE_S
            ),
            None,
        )
        if mine is not None:
            taken.add(mine)
        answer.append(mine)
    return answer


def figures_of(recording: Recording) -> dict[str, dict[str, float]]:
    """Compute the figures of one recording.

    Returns:
        Figures by origin: counts (`real`, `found`, `matched`), errors of the eye aspect ratio
        against the perfect camera (`ratio_error_open` where the lids are up by 95 %, and
        `ratio_error_shut` where they are down by 90 %: mean, with its sign), its mean absolute
        error `ratio_mae`, `perclos_error` (absolute), the share of frames with eyes found, and
        `delay`, the frames by which the ratio follows the perfect camera's while the lids move.

    """
    times, truth = recording.times, recording.truth
    real = Perclos()
    for time_s, openness in zip(times, truth):
        real.add(float(time_s), float(openness))
    clean = recording.ratios['clean']
    result: dict[str, dict[str, float]] = {}
    for origin, ratios in recording.ratios.items():
        detection = detect(times, ratios)
        error = ratios - clean
        result[origin] = {
            'real': len(recording.closures),
            'found': len(detection.closures),
            'matched': sum(m is not None for m in matches(detection.closures, recording.closures)),
            'ratio_mae': _mean(np.abs(error)),
            'ratio_error_open': _mean(error[truth >= 0.95]),
            'ratio_error_shut': _mean(error[truth <= 0.1]),
            'perclos_error': abs(detection.perclos - (real.value or 0.0)),
            'seen': float(np.mean(~np.isnan(ratios))),
            'delay': _delay(ratios, clean),
        }
    return result


def _delay(ratios: NDArray[np.float64], clean: NDArray[np.float64]) -> float:
    """Return the delay of a series behind another in frames, negative if it runs ahead.

    A series that is late by d frames differs from the other by -d times the slope; the sum over the
    frames in which the lids move, each with the sign of its slope, is solved for d.
    """
    slope = np.gradient(clean)
    moving = (np.abs(slope) > LEAST_SLOPE) & ~np.isnan(ratios) & ~np.isnan(slope)
    total = float(np.abs(slope[moving]).sum())
    if total == 0:
        return 0.0
    return -float(((ratios - clean)[moving] * np.sign(slope[moving])).sum()) / total


def pooled(recordings: Sequence[Recording]) -> dict[str, dict[str, float]]:
    """Compute the figures of several recordings together.

    Returns:
        Figures by origin: `precision`, `recall` and `f1` of the summed counts, the counts, and
        the means of the errors of `figures_of`.

    """
    each = [figures_of(recording) for recording in recordings]
    result: dict[str, dict[str, float]] = {}
    for origin in each[0]:
        rows = [figures[origin] for figures in each]
        found, real, matched = (
            int(sum(row[name] for row in rows)) for name in ('found', 'real', 'matched')
        )
        result[origin] = {
            'real': real,
            'found': found,
            'matched': matched,
            'precision': round(matched / found, 3) if found else 0.0,
            'recall': round(matched / real, 3) if real else 0.0,
            'f1': round(2 * matched / (found + real), 3) if found + real else 0.0,
            **{
                name: round(float(np.mean([row[name] for row in rows])), 4)
                for name in rows[0]
                if name not in ('found', 'real', 'matched')
            },
        }
    return result


def tables(result: Mapping[str, Any]) -> str:
    """Return the tables as Markdown."""
    total = result['all']
    lines = [
        f'Model `{result["model"]}`; {int(total["camera"]["real"])} closures, of which one a scene'
        f' is long, in {len(result["cases"])} cameras x {len(result["seeds"])} scenes of'
        f' {result["seconds"]:g} s.',
        '',
        '| crops | precision | recall | F1 | ratio error, mean abs. | open eyes | shut eyes |'
        ' PERCLOS error | delay, frames |',
        '| --- | --- | --- | --- | --- | --- | --- | --- | --- |',
    ]
    for origin, label in ORIGINS.items():
        row = total[origin]
        lines.append(
            f'| {label} | {row["precision"]:.2f} | {row["recall"]:.2f} | {row["f1"]:.2f} |'
            f' {row["ratio_mae"]:.3f} | {row["ratio_error_open"]:+.3f} |'
            f' {row["ratio_error_shut"]:+.3f} | {100 * row["perclos_error"]:.1f} points |'
            f' {row["delay"]:+.2f} |'
        )
    lines += ['', 'F1 by camera:', '', f'| camera | {" | ".join(ORIGINS.values())} |']
    lines.append('| --- ' * (len(ORIGINS) + 1) + '|')
    for name, case in result['cases'].items():
        cells = ' | '.join(f'{case[origin]["f1"]:.2f}' for origin in ORIGINS)
        lines.append(f'| {name} | {cells} |')
    return '\n'.join(lines) + '\n'


def _mean(values: NDArray[np.float64]) -> float:
    known = values[~np.isnan(values)]
    return float(known.mean()) if known.size else 0.0
