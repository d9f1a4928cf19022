"""The report of a replay: one HTML file with everything inside."""

from __future__ import annotations

import datetime
import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean, median
from typing import Any

import jinja2
import numpy as np

from cfrnet_ros.replay import plots
from cfrnet_ros.replay.comparison import Row, compare
from cfrnet_ros.replay.errors import ReplayError
from cfrnet_ros.replay.recording import (
    Output,
    Picture,
    StatusSample,
    find_segments,
    list_outputs,
    load_diagnostics,
    load_images,
)
from cfrnet_ros.replay.session import DEBUG_TOPIC, FACE_TOPIC, RESTORED_TOPIC, Pass, ReplayLog
from cfrnet_ros.vision.model_card import load_card

_LEVELS = ('OK', 'WARN', 'ERROR', 'STALE')


@dataclass(frozen=True)
class ReportOptions:
    """What the report is told besides the recording.

    Attributes:
        title: of the page.
        intro: a sentence or two under it, plain text.
        truth_topic: undegraded images in the played bag, or None.
        label_topic: names of the bag's parts, or None.

    """

    title: str = 'cfrnet_ros: replay'
    intro: str = ''
    truth_topic: str | None = None
    label_topic: str | None = None


def write_report(log: ReplayLog, path: Path, options: ReportOptions) -> None:
    """Write the page.

    Args:
        log: of the replay.
        path: of the HTML file.
        options: see `ReportOptions`.

    Raises:
        ReplayError: nothing came out of the node, or a bag cannot be read.
        VisionError: the model or the detector is gone.

    """
    outputs = list_outputs(log, FACE_TOPIC)
    if not outputs:
        raise ReplayError(
            f'no restored face came out of the node: see {log.node_log}, and whether there are'
            f' faces on {log.topic} of {log.plan.bag}'
        )
    diagnostics = load_diagnostics(log)
    engine = diagnostics['engine'][-1]
    card = load_card(engine.values['model/file'])
    segments = find_segments(log, options.label_topic)
    rows = compare(log, segments, card, options.truth_topic)
    restoration = diagnostics['restoration']
    page = (
        _environment()
        .get_template('report.html.j2')
        .render(
            options=options,
            made=datetime.datetime.now().astimezone().strftime('%Y-%m-%d %H:%M %Z'),
            machine=f'{platform.system()} {platform.machine()}, {_cpu()}',
            log=log,
            card=card,
            parameters_m=float(card.extra.get('parameters', 0)) / 1e6,
            engine=engine.values,
            rows=[_row(row) for row in rows],
            means=_means(rows),
            passes=[_pass(log, number, outputs, diagnostics) for number in range(len(log.passes))],
            stages=plots.stages_of(restoration),
            plot=plots.latency_over_time(log, restoration, outputs),
            views=_views(log, outputs),
            statuses=[_status(name, samples) for name, samples in diagnostics.items()],
            cycles=[played.cycles for played in log.passes],
        )
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(page, encoding='utf-8')


def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).resolve().parent / 'templates'),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters['ms'] = lambda value: '-' if np.isnan(value) else f'{value:.1f}'
    environment.filters['db'] = lambda value: '-' if np.isnan(value) else f'{value:.2f}'
    return environment


def _cpu() -> str:
    try:
        lines = Path('/proc/cpuinfo').read_text(encoding='utf-8').splitlines()
    except OSError:
        return platform.processor()
    names = [line.partition(':')[2].strip() for line in lines if line.startswith('model name')]
    return f'{len(names)} x {names[0]}' if names else platform.processor()


def _row(row: Row) -> dict[str, Any]:
    return {
        'name': row.name,
        'before': None if row.before is None else plots.embed(row.before),
        'truth': None if row.truth is None else plots.embed(row.truth),
        'psnr_before': row.cells[0].psnr_before,
        'cells': [
            {
                'cycles': cell.cycles,
                'crop': None if cell.crop is None else plots.embed(cell.crop),
                'psnr': cell.psnr_after,
                'gain': cell.psnr_after - cell.psnr_before,
            }
            for cell in row.cells
        ],
    }


def _means(rows: Sequence[Row]) -> dict[str, Any] | None:
    """Average over the rows; None without truth."""
    known = [row for row in rows if not any(np.isnan(cell.psnr_after) for cell in row.cells)]
    if not known:
        return None
    return {
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


def _pass(
    log: ReplayLog,
    number: int,
    outputs: Sequence[Output],
    diagnostics: Mapping[str, Sequence[StatusSample]],
) -> dict[str, Any]:
    """Sum up a pass: what came back, and the diagnostics at its end."""
    played: Pass = log.passes[number]
    ages = [found.age_ms for found in outputs if found.number == number]
    seconds = (played.frames[-1].stamp_ns - played.frames[0].stamp_ns) / 1e9
    end_ns = played.frames[-1].stamp_ns
    last = {
        name: max(
            (sample for sample in samples if played.asked_ns <= sample.time_ns <= end_ns),
            key=lambda sample: sample.time_ns,
            default=None,
        )
        for name, samples in diagnostics.items()
    }
    restoration = last.get('restoration')
    return {
        'cycles': played.cycles,
        'sent': len(played.frames),
        'restored': len(ages),
        'output_hz': len(ages) / seconds if seconds > 0 else float('nan'),
        'age_p50': median(ages) if ages else float('nan'),
        'age_p95': float(np.percentile(ages, 95)) if ages else float('nan'),
        'values': {} if restoration is None else restoration.values,
        'number': (lambda key: float('nan')) if restoration is None else restoration.number,
    }


def _views(log: ReplayLog, outputs: Sequence[Output]) -> list[dict[str, str]]:
    """Take one frame of each whole-frame topic, from the middle of the replay."""
    views = []
    for topic in (RESTORED_TOPIC, DEBUG_TOPIC):
        if not log.received.get(topic):
            continue
        found = list_outputs(log, topic)
        if found:
            middle = found[len(found) // 2].stamp_ns
            image: Picture = load_images(log.plan.recording, topic, {middle})[middle]
            views.append({'topic': topic, 'image': plots.embed(image, 88)})
    return views


def _status(name: str, samples: Sequence[StatusSample]) -> dict[str, Any]:
    last = samples[-1]
    return {
        'name': name,
        'level': _LEVELS[last.level],
        'message': last.message,
        'values': {k: v for k, v in last.values.items() if not k.startswith('latency/')},
    }
