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

"""Writes the report of a replay: one HTML file that contains its pictures."""

from __future__ import annotations

import base64
import datetime
import os
import platform
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from statistics import fmean
from typing import Any

import cv2
import jinja2
import numpy as np

from cfrnet_ros.replay import plots, speed
from cfrnet_ros.replay.bag_reader import BagReader
from cfrnet_ros.replay.frames import PROCESSED, anything_fused, stages_of
from cfrnet_ros.replay.gallery import Row
from cfrnet_ros.replay.plan import DEBUG_TOPIC, RESTORED_TOPIC, ReplayLog
from cfrnet_ros.replay.recording import StatusSample, decode_image
from cfrnet_ros.replay.results import Results, cpu_name
from cfrnet_ros.replay.stamps import read_stamp
from cfrnet_ros.replay.video import h264_available
from cfrnet_ros.vision.engine.model_card import load_card

_LEVELS = ('OK', 'WARN', 'ERROR', 'STALE')
#: Largest size of a video that is embedded in the page.
_EMBED_BYTES = 8 * 2**20


@dataclass(frozen=True)
class ReportOptions:
    """Inputs of the report besides the recording.

    Attributes:
        title: Title of the page.
        intro: One or two sentences below the title, in plain text.
        truth_topic: Topic of the undegraded images in the played bag, or None.
        label_topic: Topic of the labels that name the bag's parts, or None.

    """

    title: str = 'cfrnet_ros: replay'
    intro: str = ''
    truth_topic: str | None = None
    label_topic: str | None = None


def write_report(log: ReplayLog, results: Results, path: Path, options: ReportOptions) -> None:
    """Write the report.

    Args:
        log: Log of the replay.
        results: Results as `write_results` returns them.
        path: Path of the HTML file.
        options: Title, introduction and topics.

    Raises:
        ReplayError: A bag cannot be read.
        VisionError: The model file has been removed.

    """
    path.parent.mkdir(parents=True, exist_ok=True)
    engine = results.diagnostics['engine'][-1]
    card = load_card(engine.values['model/file'])
    line = plots.Timeline(log, results.frames)
    speeds = speed.speeds_of(results.passes)
    page = (
        _environment()
        .get_template('report.html.j2')
        .render(
            options=options,
            made=datetime.datetime.now().astimezone().strftime('%Y-%m-%d %H:%M %Z'),
            machine=f'{platform.system()} {platform.machine()}, {cpu_name()}',
            log=log,
            card=card,
            parameters_m=float(card.extra.get('parameters', 0)) / 1e6,
            engine=engine.values,
            fused=anything_fused(results.frames),
            rows=[_row(row) for row in results.gallery],
            means=_means(results.gallery),
            passes=results.passes,
            speeds=speeds,
            advice=speed.advice(speeds, speed.camera_hz(log)),
            stages=_stages(results),
            latency_plot=plots.latency_over_time(line),
            quality_plot=plots.quality_over_time(line, results.faces) if results.faces else None,
            spikes=any(played.spikes for played in log.passes),
            views=_views(log),
            media=[
                _media(cycles, video, sheet, path.parent)
                for cycles, video, sheet in zip(
                    [played.cycles for played in log.passes], results.videos, results.sheets
                )
            ],
            out=_relative(log.plan.out, path.parent),
            statuses=[_status(name, samples) for name, samples in results.diagnostics.items()],
            cycles=[played.cycles for played in log.passes],
        )
    )
    path.write_text(page, encoding='utf-8')


def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).resolve().parent / 'templates'),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters['fixed'] = _fixed
    environment.filters['rate'] = speed.rate_text
    return environment


def _fixed(value: float | None, digits: int = 1) -> str:
    return '-' if value is None or np.isnan(value) else f'{value:.{digits}f}'


def _row(row: Row) -> dict[str, Any]:
    known = [cell for cell in row.cells if not np.isnan(cell.psnr_before)]
    fused = [cell for cell in known if not np.isnan(cell.psnr_fused)]
    return {
        'name': row.name,
        'before': None if row.before is None else plots.embed(row.before),
        'truth': None if row.truth is None else plots.embed(row.truth),
        'psnr_before': known[0].psnr_before if known else None,
        'fused': None if row.fused is None else plots.embed(row.fused),
        'psnr_fused': fused[0].psnr_fused if fused else None,
        'gain_fused': fused[0].psnr_fused - fused[0].psnr_before if fused else None,
        'cells': [
            {
                'cycles': cell.cycles,
                'crop': None if cell.crop is None else plots.embed(cell.crop),
                'psnr': None if np.isnan(cell.psnr_after) else cell.psnr_after,
                'gain': cell.psnr_after - cell.psnr_before,
            }
            for cell in row.cells
        ],
    }


def _means(rows: Sequence[Row]) -> dict[str, Any] | None:
    """Average over the rows; returns None without ground truth."""
    known = [row for row in rows if not any(np.isnan(cell.psnr_after) for cell in row.cells)]
    if not known:
        return None
    fused = [row.cells[0] for row in known if not np.isnan(row.cells[0].psnr_fused)]
    return {
        'fused': fmean(cell.psnr_fused for cell in fused) if fused else None,
        'gain_fused': fmean(c.psnr_fused - c.psnr_before for c in fused) if fused else None,
        'before': fmean(row.cells[0].psnr_before for row in known),
        'after': [
            fmean(row.cells[number].psnr_after for row in known)
            for number in range(len(known[0].cells))
        ],
        'gain': [
            fmean(r.cells[number].psnr_after - r.cells[number].psnr_before for r in known)
            for number in range(len(known[0].cells))
        ],
    }


def _stages(results: Results) -> list[dict[str, Any]]:
    """List the median of each stage in each pass, over the frames in which it ran."""
    done = [row for row in results.frames if row.outcome == PROCESSED]
    table = []
    for stage in stages_of(done):
        medians = []
        for number in range(len(results.passes)):
            times = [
                row.stages_ms[stage]
                for row in done
                if row.number == number and stage in row.stages_ms
            ]
            medians.append(float(np.median(times)) if times else None)
        table.append({'name': stage.value.replace('_', ' '), 'medians': medians})
    return table


def _views(log: ReplayLog) -> list[dict[str, str]]:
    """Return a frame from the middle of the replay: of the camera, restored, and for debugging."""
    views = []
    for topic, folder, what in (
        (RESTORED_TOPIC, log.plan.recording, 'restored'),
        (DEBUG_TOPIC, log.plan.measurements, 'with boxes, landmarks and latency'),
    ):
        with BagReader(folder) as bag:
            middle = bag.count(topic) // 2
            message = next(islice(bag.messages(topic), middle, None), None)
        if message is None:
            continue
        if topic == RESTORED_TOPIC:
            camera = _camera_picture(log, read_stamp(message.data))
            if camera is not None:
                views.append({'topic': log.topic, 'image': camera, 'what': 'as the camera saw it'})
        views.append(
            {'topic': topic, 'image': plots.embed(decode_image(message), 88), 'what': what}
        )
    return views


def _camera_picture(log: ReplayLog, stamp_ns: int) -> str | None:
    """Return the frame that was sent with a stamp, as a data URI; None if there is none."""
    sent = [
        frame.index for each in log.passes for frame in each.frames if frame.stamp_ns == stamp_ns
    ]
    if not sent:
        return None
    with BagReader(log.plan.bag) as bag:
        message = next(islice(bag.messages(log.topic), sent[0], None), None)
    return None if message is None else plots.embed(decode_image(message), 88)


def _media(cycles: int, video: Path | None, sheet: Path | None, folder: Path) -> dict[str, Any]:
    embedded = None
    # Browsers do not play the codec that OpenCV encodes without PyAV.
    if video is not None and h264_available() and video.stat().st_size <= _EMBED_BYTES:
        data = base64.b64encode(video.read_bytes()).decode()
        embedded = f'data:video/mp4;base64,{data}'
    return {
        'cycles': cycles,
        'embedded': embedded,
        'poster': None if embedded is None or video is None else _poster(video),
        'video': None if video is None else _relative(video, folder),
        'sheet': None if sheet is None else _relative(sheet, folder),
    }


def _poster(video: Path) -> str | None:
    """Return the picture a quarter into a video as a data URI; None if it cannot be read."""
    capture = cv2.VideoCapture(str(video))
    capture.set(cv2.CAP_PROP_POS_FRAMES, int(capture.get(cv2.CAP_PROP_FRAME_COUNT)) // 4)
    found, picture = capture.read()
    capture.release()
    return plots.embed(np.asarray(picture, np.uint8), 85) if found else None


def _relative(path: Path, folder: Path) -> str:
    return Path(os.path.relpath(path.resolve(), folder.resolve())).as_posix()


def _status(name: str, samples: Sequence[StatusSample]) -> dict[str, Any]:
    last = samples[-1]
    return {
        'name': name,
        'level': _LEVELS[last.level],
        'message': last.message,
        'values': {k: v for k, v in last.values.items() if not k.startswith('latency/')},
    }
