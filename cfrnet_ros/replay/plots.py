"""The report's pictures, as data URIs so that the page is one file."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from typing import Any

import cv2
import matplotlib as mpl
import numpy as np

from cfrnet_ros.replay.recording import Output, Picture, StatusSample
from cfrnet_ros.replay.session import ReplayLog

mpl.use('Agg')
from matplotlib.figure import Figure

_COLOURS = {
    'wait': '#e6e6e6',
    'decode': '#b8c4ce',
    'detect': '#5b8db8',
    'track': '#88b7c9',
    'align': '#7a9e7e',
    'blend': '#e0b04c',
    'debug': '#c9c0a8',
    'publish': '#d98c5f',
}
_CYCLES = ('#8e5ea2', '#a77bb8', '#c09ace', '#d6bbe0')


def colour_of(stage: str) -> str:
    """Colour of a stage, cycles in shades of one."""
    if stage.startswith('restore_cycle_'):
        return _CYCLES[(int(stage.rpartition('_')[2]) - 1) % len(_CYCLES)]
    return _COLOURS.get(stage, '#999999')


def embed(image: Picture, quality: int = 93) -> str:
    """Return a (H, W, 3) uint8 BGR picture as a JPEG data URI."""
    _, data = cv2.imencode('.jpg', image, [cv2.IMWRITE_JPEG_QUALITY, quality])
    return 'data:image/jpeg;base64,' + base64.b64encode(data.tobytes()).decode()


def stages_of(samples: Sequence[StatusSample]) -> list[str]:
    """List the stages that make up a frame's time, in the order in which they run."""
    names: list[str] = []
    for sample in samples:
        for key in sample.values:
            parts = key.split('/')
            if parts[0] == 'latency' and parts[1] not in (*names, 'total', 'age'):
                names.append(parts[1])
    order = ['wait', 'decode', 'detect', 'track', 'align']
    order += sorted(name for name in names if name.startswith('restore_cycle_'))
    order += ['blend', 'debug', 'publish']
    return [name for name in order if name in names]


def latency_over_time(
    log: ReplayLog, samples: Sequence[StatusSample], outputs: Sequence[Output]
) -> str:
    """Draw the stages' medians, stacked, and each crop's age; returns an SVG data URI."""
    start_ns = log.passes[0].asked_ns
    end_ns = log.passes[-1].frames[-1].stamp_ns
    samples = [s for s in samples if start_ns <= s.time_ns <= end_ns + 10**9]
    times = np.array([(s.time_ns - start_ns) / 1e9 for s in samples])
    figure = Figure(figsize=(10.5, 6.4), layout='constrained')
    stages_axes, age_axes = figure.subplots(2, 1, sharex=True, height_ratios=(3, 2))
    stages = stages_of(samples)
    if len(samples):
        heights = np.nan_to_num(
            [[s.number(f'latency/{stage}/p50_ms') for s in samples] for stage in stages]
        )
        stages_axes.stackplot(
            times,
            heights,
            labels=[stage.replace('_', ' ') for stage in stages],
            colors=[colour_of(stage) for stage in stages],
        )
        total = [s.number('latency/total/p95_ms') for s in samples]
        stages_axes.plot(times, total, color='#222222', lw=1, ls='--', label='total, p95')
    stages_axes.set_ylabel('median by stage, ms')
    # The highest layer first, as it is drawn.
    handles, labels = stages_axes.get_legend_handles_labels()
    stages_axes.legend(
        handles[::-1], labels[::-1], loc='center left', bbox_to_anchor=(1.0, 0.5), frameon=False
    )
    age_axes.scatter(
        [(found.stamp_ns - start_ns) / 1e9 for found in outputs],
        [found.age_ms for found in outputs],
        s=7,
        color='#8e5ea2',
        label='one crop',
    )
    age_axes.set_ylabel('age on arrival, ms')
    age_axes.set_xlabel('time, s')
    ages = [found.age_ms for found in outputs]
    age_axes.set_ylim(0, 1.3 * float(np.percentile(ages, 99)) if ages else 1)
    _mark_passes(log, start_ns, (stages_axes, age_axes))
    buffer = io.BytesIO()
    figure.savefig(buffer, format='svg')
    return 'data:image/svg+xml;base64,' + base64.b64encode(buffer.getvalue()).decode()


def _mark_passes(log: ReplayLog, start_ns: int, axes: Sequence[Any]) -> None:
    for played in log.passes:
        at = (played.asked_ns - start_ns) / 1e9
        for each in axes:
            each.axvline(at, color='#444444', lw=0.8)
            each.spines[['top', 'right']].set_visible(False)
            each.margins(x=0)
        axes[0].annotate(
            f' k = {played.cycles}', (at, 1.0), xycoords=('data', 'axes fraction'), va='top'
        )
