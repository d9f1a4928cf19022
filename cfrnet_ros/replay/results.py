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

"""Writes what a replay produces besides its bags: tables, sheets, videos and summary."""

from __future__ import annotations

import contextlib
import datetime
import json
import platform
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from cfrnet_ros.replay import tables
from cfrnet_ros.replay.errors import ReplayError
from cfrnet_ros.replay.frames import (
    DROPPED,
    PROCESSED,
    REJECTED,
    FrameRow,
    anything_fused,
    collect_frames,
)
from cfrnet_ros.replay.gallery import Gallery, Row
from cfrnet_ros.replay.measure import FaceRow, FrameSample, measure
from cfrnet_ros.replay.plan import ReplayLog
from cfrnet_ros.replay.recording import StatusSample, find_segments, load_diagnostics
from cfrnet_ros.replay.sheets import Sheet
from cfrnet_ros.replay.video import Video, compose
from cfrnet_ros.vision.stages import Stage

SUMMARY = 'summary.json'
#: Version of the files; increased whenever the files of an older version cannot be compared.
FORMAT = 1


@dataclass(frozen=True)
class Results:
    """Measurements of a replay, and the files that hold them.

    Attributes:
        frames: Rows of all frames sent.
        faces: Rows of all crops.
        gallery: Rows of the gallery, one for each segment of the bag.
        passes: Figures of each pass, as `summarise` returns them.
        diagnostics: Diagnostic statuses of the node by short name.
        sheets: Contact sheets, None for a pass without a face.
        videos: MP4 files, one for each pass; None for a pass without a picture.

    """

    frames: list[FrameRow]
    faces: list[FaceRow]
    gallery: list[Row]
    passes: list[dict[str, Any]]
    diagnostics: Mapping[str, list[StatusSample]]
    sheets: list[Path | None]
    videos: list[Path | None]


def write_results(
    log: ReplayLog, truth_topic: str | None = None, label_topic: str | None = None
) -> Results:
    """Measure a replay and write all results into its folder.

    Args:
        log: Log of the replay.
        truth_topic: Topic of the undegraded images in the played bag, or None.
        label_topic: Topic of the labels that name the bag's parts, or None.

    Raises:
        ReplayError: The node processed no image, a bag cannot be read, or a file cannot be
            written.

    """
    frames = collect_frames(log)
    if not any(row.outcome == PROCESSED for row in frames):
        raise ReplayError(
            f'the node processed none of the images: see {log.node_log} and the diagnostics in'
            f' {log.plan.measurements}'
        )
    cycles = [played.cycles for played in log.passes]
    fused = anything_fused(frames)
    gallery = Gallery.choose(cycles, find_segments(log, label_topic), frames)
    sheets = [Sheet(number, frames) for number in range(len(log.passes))]
    names = _pass_names(cycles)
    faces: list[FaceRow] = []
    with contextlib.ExitStack() as stack:
        fps = _fps(log)
        videos = [
            stack.enter_context(Video(log.plan.out / f'before_after_{name}.mp4', fps))
            for name in names
        ]
        shown: FrameSample | None = None
        for sample in measure(log, frames, truth_topic):
            gallery.offer(sample)
            for sheet in sheets:
                sheet.offer(sample)
            faces += [face.row for face in sample.faces]
            # For a dropped frame the video shows the faces of the previous one, as a viewer would.
            dropped = sample.row.outcome == DROPPED
            same = shown is not None and shown.row.number == sample.row.number
            picture = compose(sample, shown if dropped and same else None, fused=fused)
            shown = shown if dropped and same else sample
            if picture is not None:
                videos[sample.row.number].write(picture)
    sheet_files = [log.plan.out / f'sheet_{name}.png' for name in names]
    tables.write_frames(log.plan.out / tables.FRAMES, frames)
    tables.write_faces(log.plan.out / tables.FACES, faces)
    common = common_frames(faces, len(log.passes))
    results = Results(
        frames,
        faces,
        gallery.rows([face for face in faces if face.index in common]),
        [summarise(log, number, frames, faces, common) for number in range(len(log.passes))],
        load_diagnostics(log),
        [file if sheet.write(file) else None for sheet, file in zip(sheets, sheet_files)],
        [video.path if video.frames else None for video in videos],
    )
    _write_summary(log, results)
    return results


def common_frames(faces: Sequence[FaceRow], passes: int) -> set[int]:
    """Return the frames that have a face in every pass, so that the passes can be compared.

    A busy node drops frames, and which ones depends on the number of cycles.

    Args:
        faces: Rows of all crops.
        passes: Number of passes.

    Returns:
        Indices of the frames; those of all faces if no frame has a face in every pass.

    """
    seen = [{face.index for face in faces if face.number == number} for number in range(passes)]
    return set.intersection(*seen) or set.union(*seen)


def summarise(
    log: ReplayLog,
    number: int,
    frames: Sequence[FrameRow],
    faces: Sequence[FaceRow],
    common: Set[int],
) -> dict[str, Any]:
    """Summarise a pass.

    Args:
        log: Log of the replay.
        number: Number of the pass.
        frames: Rows of all frames sent.
        faces: Rows of all crops.
        common: Indices of the frames whose crops are compared, of `common_frames`.

    Returns:
        Counts, and means over the crops of the common frames. Latencies are in milliseconds;
        `total` is the node's own figure, and `work` is that without waiting and without the debug
        view; `latency` and `age` were measured by the replay from sending to the arrival of the
        report and of the crop. A figure without values is None.

    """
    mine = [row for row in frames if row.number == number]
    crops = [face for face in faces if face.number == number]
    played = log.passes[number]
    seconds = (played.frames[-1].sent_ns - played.frames[0].sent_ns) / 1e9 if mine else 0.0
    done = [row for row in mine if row.outcome == PROCESSED]
    reasons = sorted({face.reason for face in crops if face.reason})
    compared = [face for face in crops if face.index in common]
    totals = [row.stages_ms[Stage.TOTAL] for row in done if Stage.TOTAL in row.stages_ms]
    return {
        'cycles': played.cycles,
        'sent': len(mine),
        'processed': len(done),
        'dropped': sum(row.outcome == DROPPED for row in mine),
        'rejected': sum(row.outcome == REJECTED for row in mine),
        'frames_with_face': sum(row.faces > 0 for row in mine),
        'crops': len(crops),
        'restored': sum(face.restored for face in crops),
        'passed_on': {r: sum(face.reason == r for face in crops) for r in reasons},
        'tracks': len({face.track_id for face in crops}),
        'processed_hz': len(done) / seconds if seconds > 0 else None,
        'cycles_used_mean': _mean([float(face.cycles) for face in crops if face.restored]),
        'reused': _sum([row.count('reused') for row in mine]),
        'compared_frames': len({face.index for face in compared}),
        **_spread('total', totals),
        **_spread('work', [_work_ms(row) for row in done]),
        **_spread('latency', [row.latency_ms for row in done]),
        **_spread('age', [row.age_ms for row in done]),
        **{
            f'{name}_mean': _mean([getattr(face, name) for face in compared])
            for name in (
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
                'residual',
            )
        },
        'node': {
            key: _mean([face.values.get(key, float('nan')) for face in compared])
            for key in sorted({key for face in crops for key in face.values})
        },
    }


def _work_ms(row: FrameRow) -> float:
    """Return the time of the node for a frame without waiting and debug view; NaN if unknown."""
    times = row.stages_ms
    if Stage.TOTAL not in times:
        return float('nan')
    return times[Stage.TOTAL] - times.get(Stage.WAIT, 0.0) - times.get(Stage.DEBUG, 0.0)


def _mean(values: Sequence[float]) -> float | None:
    known = [value for value in values if not np.isnan(value)]
    return float(np.mean(known)) if known else None


def _sum(values: Sequence[float]) -> int | None:
    known = [value for value in values if not np.isnan(value)]
    return round(sum(known)) if known else None


def _spread(name: str, values: Sequence[float]) -> dict[str, float | None]:
    known = [value for value in values if not np.isnan(value)]
    return {f'{name}_p{q}_ms': float(np.percentile(known, q)) if known else None for q in (50, 95)}


def _pass_names(cycles: Sequence[int]) -> list[str]:
    """Name the passes by their cycles, and by their position too if two have the same."""
    unique = len(set(cycles)) == len(cycles)
    return [f'k{k}' if unique else f'{place + 1}_k{k}' for place, k in enumerate(cycles)]


def _fps(log: ReplayLog) -> float:
    frames = log.passes[0].frames
    seconds = (frames[-1].bag_time_ns - frames[0].bag_time_ns) / 1e9
    return float(np.clip((len(frames) - 1) / seconds if seconds > 0 else 10.0, 1.0, 120.0))


def _write_summary(log: ReplayLog, results: Results) -> None:
    engine = results.diagnostics['engine'][-1].values if 'engine' in results.diagnostics else {}
    plan = log.plan
    summary = {
        'format': FORMAT,
        'made': datetime.datetime.now().astimezone().isoformat(timespec='seconds'),
        'mode': 'deterministic' if plan.deterministic else 'real time',
        'bag': plan.bag.name,
        'topic': log.topic,
        'rate': plan.rate,
        'load': None if plan.load is None else vars(plan.load),
        'machine': f'{platform.system()} {platform.machine()}, {cpu_name()}',
        'python': platform.python_version(),
        'model': {
            key: engine.get(f'model/{key}', '') for key in ('name', 'precision', 'sha256', 'size')
        },
        'provider': engine.get('provider/used', ''),
        'parameters': {
            name: value
            for name, value in sorted(log.parameters.items())
            if not name.startswith('qos_overrides.')
        },
        'passes': results.passes,
    }
    text = json.dumps(summary, indent=2, default=str)
    (plan.out / SUMMARY).write_text(text + '\n', encoding='utf-8')


def cpu_name() -> str:
    """Return the number and the name of the processors, as Linux reports them."""
    try:
        lines = Path('/proc/cpuinfo').read_text(encoding='utf-8').splitlines()
    except OSError:
        return platform.processor()
    names = [line.partition(':')[2].strip() for line in lines if line.startswith('model name')]
    return f'{len(names)} x {names[0]}' if names else platform.processor()
