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

"""Plots of the report, as data URIs so that the page is one file."""

from __future__ import annotations

import base64
import io
from collections.abc import Callable, Sequence
from operator import attrgetter
from typing import Any

import cv2
import matplotlib as mpl
import numpy as np
from numpy.typing import NDArray

from cfrnet_ros.replay.frames import FrameRow, anything_fused, stages_of
from cfrnet_ros.replay.measure import FaceRow
from cfrnet_ros.replay.pictures import Picture
from cfrnet_ros.replay.plan import ReplayLog
from cfrnet_ros.vision.stages import RESTORE_CYCLES, Stage

mpl.use('Agg')
from matplotlib.figure import Figure

#: Colours of the stages in their order, without the cycles, which have shades of one colour.
_STAGES = (
    *('#e6e6e6', '#b8c4ce', '#5b8db8', '#88b7c9', '#7a9e7e', '#6f8f6f'),
    *('#4f6f4f', '#b565a7', '#9fb59f', '#e0b04c', '#c9c0a8', '#d98c5f'),
)
_CYCLES = ('#8e5ea2', '#a77bb8', '#c09ace', '#d6bbe0')
_BEFORE, _FUSED, _AFTER = '#9a9a9a', '#5b8db8', '#8e5ea2'
_ASKED, _ALLOWED = '#bbbbbb', '#d98c5f'
#: Gap between two passes on the time axis, as a share of a pass.
_GAP = 0.03


def colour_of(stage: Stage) -> str:
    """Return the colour of a stage; cycles have shades of one colour."""
    if stage in RESTORE_CYCLES:
        return _CYCLES[RESTORE_CYCLES.index(stage) % len(_CYCLES)]
    place = [other for other in Stage if other not in RESTORE_CYCLES].index(stage)
    return _STAGES[place % len(_STAGES)]


def embed(image: Picture, quality: int = 93) -> str:
    """Return a (H, W, 3) uint8 BGR picture as a JPEG data URI."""
    _, data = cv2.imencode('.jpg', image, [cv2.IMWRITE_JPEG_QUALITY, quality])
    return 'data:image/jpeg;base64,' + base64.b64encode(data.tobytes()).decode()


class Timeline:
    """Places the passes one after another on a time axis in seconds."""

    def __init__(self, log: ReplayLog, rows: Sequence[FrameRow]) -> None:
        """Place the passes.

        Args:
            log: Log of the replay.
            rows: Frames of all passes.

        """
        self.log = log
        self.rows = rows
        self.offsets: list[float] = []
        end = 0.0
        for number in range(len(log.passes)):
            self.offsets.append(end)
            seconds = max((row.time_s for row in rows if row.number == number), default=0.0)
            end += (seconds or 1.0) * (1 + _GAP)
        self._place = {(row.number, row.frame.index): self.at(row) for row in rows}

    def at(self, row: FrameRow) -> float:
        """Return the position of a frame on the axis, in seconds."""
        return self.offsets[row.number] + row.time_s

    def of_face(self, face: FaceRow) -> float:
        """Return the position of a crop's frame on the axis, in seconds."""
        return self._place[face.number, face.index]

    def mark(self, axes: Sequence[Any]) -> None:
        """Draw where passes begin and where the CPU was kept busy, and tidy the axes."""
        for each in axes:
            each.spines[['top', 'right']].set_visible(False)
            each.margins(x=0)
            for offset in self.offsets:
                each.axvline(offset, color='#444444', lw=0.8)
            for number, played in enumerate(self.log.passes):
                start = played.frames[0].sent_ns
                for number_of, (since, until) in enumerate(played.spikes):
                    each.axvspan(
                        self.offsets[number] + (since - start) / 1e9,
                        self.offsets[number] + (until - start) / 1e9,
                        color='#a8321f',
                        alpha=0.12,
                        lw=0,
                        zorder=0,
                        label='load spike' if number == 0 and number_of == 0 else None,
                    )
        for offset, played in zip(self.offsets, self.log.passes):
            axes[0].annotate(
                f' k = {played.cycles}', (offset, 1.0), xycoords=('data', 'axes fraction'), va='top'
            )
        axes[-1].set_xlabel('time, s')


def latency_over_time(line: Timeline) -> str:
    """Draw each frame's stages (stacked), age and cycles; returns an SVG data URI."""
    figure = Figure(figsize=(10.5, 7.6), layout='constrained')
    stages_axes, age_axes, cycle_axes = figure.subplots(
        3, 1, sharex=True, height_ratios=(3, 2, 1.3)
    )
    done = [row for row in line.rows if row.stages_ms]
    stages = stages_of(done)
    for number in range(len(line.offsets)):
        mine = [row for row in done if row.number == number]
        if not mine:
            continue
        stages_axes.stackplot(
            [line.at(row) for row in mine],
            np.array([[row.stages_ms.get(stage, 0.0) for row in mine] for stage in stages]),
            labels=[stage.value.replace('_', ' ') for stage in stages] if number == 0 else [],
            colors=[colour_of(stage) for stage in stages],
        )
    _limit(stages_axes, [row.stages_ms.get(Stage.TOTAL, np.nan) for row in done])
    stages_axes.set_ylabel('each frame, ms')
    aged = [row for row in line.rows if not np.isnan(row.age_ms)]
    age_axes.scatter(
        [line.at(row) for row in aged],
        [row.age_ms for row in aged],
        s=7,
        color=_AFTER,
        label='first crop of a frame',
    )
    _limit(age_axes, [row.age_ms for row in aged])
    age_axes.set_ylabel('age on arrival, ms')
    _draw_cycles(line, cycle_axes)
    line.mark((stages_axes, age_axes, cycle_axes))
    # The legend lists the uppermost layer first, as it is drawn.
    handles, labels = stages_axes.get_legend_handles_labels()
    stages_axes.legend(
        handles[::-1], labels[::-1], loc='center left', bbox_to_anchor=(1.0, 0.5), frameon=False
    )
    for axes in (age_axes, cycle_axes):
        axes.legend(loc='center left', bbox_to_anchor=(1.0, 0.5), frameon=False)
    return _svg(figure)


def quality_over_time(line: Timeline, faces: Sequence[FaceRow]) -> str:
    """Draw the largest face before and after restoration over time; returns an SVG data URI.

    Where the node fused anything, the fused crop and its effective number of frames are drawn too.
    """
    first = [face for face in faces if face.slot == 0]
    known = any(not np.isnan(face.psnr_after) for face in first)
    fused = anything_fused(line.rows)
    figure = Figure(figsize=(10.5, 7.4 if fused else 5.4), layout='constrained')
    panels = figure.subplots(3 if fused else 2, 1, sharex=True)
    name, label = ('psnr', 'PSNR, dB') if known else ('sharpness', 'sharpness')
    for axes, kind, text in (
        (panels[0], name, label),
        (panels[1], 'flicker', 'flicker, grey levels'),
    ):
        shown = [('before', _BEFORE), ('after', _AFTER)]
        if fused and kind == 'psnr':
            shown.insert(1, ('fused', _FUSED))
        for when, colour in shown:
            _draw_faces(line, axes, first, attrgetter(f'{kind}_{when}'), colour, when)
        axes.set_ylabel(text)
    if fused:
        _draw_faces(line, panels[2], first, _effective_frames, _FUSED, 'frames in the\nfused crop')
        panels[2].set_ylabel('effective frames')
        panels[2].set_ylim(0, None)
    # Room above the curves for the names of the passes.
    panels[0].margins(y=0.15)
    line.mark(panels)
    for axes in panels:
        axes.legend(loc='center left', bbox_to_anchor=(1.0, 0.5), frameon=False)
    return _svg(figure)


def _effective_frames(face: FaceRow) -> float:
    return face.values.get('fused_frames', float('nan'))


def _draw_faces(
    line: Timeline,
    axes: Any,
    faces: Sequence[FaceRow],
    value_of: Callable[[FaceRow], float],
    colour: str,
    label: str,
) -> None:
    for number in range(len(line.offsets)):
        mine = [face for face in faces if face.number == number]
        axes.plot(
            [line.of_face(face) for face in mine],
            [value_of(face) for face in mine],
            color=colour,
            lw=1.2,
            marker='.',
            ms=3,
            label=label if number == 0 else None,
        )


def _draw_cycles(line: Timeline, axes: Any) -> None:
    for number in range(len(line.offsets)):
        mine = [row for row in line.rows if row.number == number and row.stages_ms]
        times = [line.at(row) for row in mine]
        series: tuple[tuple[str, Any, str, float, str], ...] = (
            ('asked', [row.cycles for row in mine], _ASKED, 3.0, '-'),
            ('allowed', [row.count('cycles_allowed') for row in mine], _ALLOWED, 1.4, '--'),
            ('used', [row.count('cycles_used') for row in mine], _AFTER, 1.4, '-'),
        )
        for name, values, colour, width, style in series:
            if np.isnan(np.asarray(values, np.float64)).all():
                continue
            axes.step(
                times,
                values,
                where='mid',
                color=colour,
                lw=width,
                ls=style,
                label=f'cycles {name}' if number == 0 else None,
            )
    axes.set_ylabel('cycles')
    highest = max(played.cycles for played in line.log.passes)
    axes.set_ylim(-0.2, highest + 0.4)
    axes.set_yticks(range(highest + 1))


def _limit(axes: Any, values: Sequence[float]) -> None:
    """Set the upper limit so that all but the rarest outliers are visible."""
    known: NDArray[np.float64] = np.asarray([v for v in values if not np.isnan(v)], np.float64)
    axes.set_ylim(0, 1.25 * float(np.percentile(known, 99)) if known.size else 1)


def _svg(figure: Figure) -> str:
    buffer = io.BytesIO()
    figure.savefig(buffer, format='svg')
    return 'data:image/svg+xml;base64,' + base64.b64encode(buffer.getvalue()).decode()
