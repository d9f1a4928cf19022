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

"""Tables of the replay: `frames.csv` with a line per frame, `faces.csv` with a line per crop."""

from __future__ import annotations

import csv
import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from cfrnet_ros.replay.errors import ReplayError
from cfrnet_ros.replay.frames import FrameRow, stages_of
from cfrnet_ros.replay.measure import FaceRow
from cfrnet_ros.vision.stages import Stage

FRAMES, FACES = 'frames.csv', 'faces.csv'

_MEASURED = (
    'residual',
    'psnr_before',
    'psnr_fused',
    'psnr_after',
    'sharpness_before',
    'sharpness_after',
    'brightness_before',
    'brightness_after',
    'brightness_truth',
    'flicker_before',
    'flicker_after',
)


def write_frames(path: Path, rows: Sequence[FrameRow]) -> None:
    """Write `frames.csv`; the time of something that did not happen is empty."""
    stages = [*stages_of(rows), Stage.TOTAL]
    with path.open('w', newline='', encoding='utf-8') as file:
        writer = csv.writer(file, lineterminator='\n')
        writer.writerow(
            [
                *('pass', 'index', 'time_s', 'bag_stamp_ns', 'stamp_ns', 'outcome', 'reason'),
                *('faces', 'track_ids', 'faces_found', 'faces_reused'),
                *('cycles_asked', 'cycles_allowed', 'cycles_used', 'latency_ms', 'age_ms'),
                *(f'{stage.value}_ms' for stage in stages),
            ]
        )
        for row in rows:
            writer.writerow(
                [
                    row.number,
                    row.frame.index,
                    f'{row.time_s:.6f}',
                    row.frame.bag_stamp_ns,
                    row.frame.stamp_ns,
                    row.outcome,
                    row.reason,
                    row.faces,
                    ' '.join(map(str, row.track_ids)),
                    _text(row.count('found')),
                    _text(row.count('reused')),
                    row.cycles,
                    _text(row.count('cycles_allowed')),
                    _text(row.count('cycles_used')),
                    _text(row.latency_ms),
                    _text(row.age_ms),
                    *(_text(row.stages_ms.get(stage, math.nan)) for stage in stages),
                ]
            )


def write_faces(path: Path, rows: Sequence[FaceRow]) -> None:
    """Write `faces.csv`; values of the node's face status are in columns `node:<key>`.

    The column `psnr_fused` is left out if the node fused nothing in the whole replay.
    """
    fused = any(row.values.get('fused_frames', 1.0) > 1 for row in rows)
    measured = [name for name in _MEASURED if fused or name != 'psnr_fused']
    keys = sorted({key for row in rows for key in row.values})
    with path.open('w', newline='', encoding='utf-8') as file:
        writer = csv.writer(file, lineterminator='\n')
        writer.writerow(
            [
                *('pass', 'index', 'slot', 'track_id', 'restored', 'reason', 'cycles'),
                *measured,
                *(f'node:{key}' for key in keys),
            ]
        )
        for row in rows:
            writer.writerow(
                [
                    *(row.number, row.index, row.slot, row.track_id),
                    *(int(row.restored), row.reason, row.cycles),
                    *(_text(getattr(row, name)) for name in measured),
                    *(_text(row.values.get(key, math.nan)) for key in keys),
                ]
            )


def read_table(path: Path, needed: Iterable[str]) -> list[Mapping[str, str]]:
    """Read a table from a CSV file.

    Args:
        path: Path of the CSV file.
        needed: Names of the columns that must be there.

    Raises:
        ReplayError: The file cannot be read, or lacks a column.

    """
    try:
        with path.open(newline='', encoding='utf-8') as file:
            reader = csv.DictReader(file)
            missing = sorted(set(needed) - set(reader.fieldnames or ()))
            if missing:
                raise ReplayError(f"'{path}' has no column {', '.join(missing)}")
            return list(reader)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise ReplayError(f"'{path}' cannot be read: {error}") from error


def _text(value: float) -> str:
    return '' if math.isnan(value) else f'{value:.6g}'
