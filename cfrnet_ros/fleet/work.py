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

"""Restores one recording: what a worker runs."""

from __future__ import annotations

import socket
import time
from functools import partial
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from cfrnet_ros.apps.media.change_video import change_video
from cfrnet_ros.apps.media.errors import MediaError
from cfrnet_ros.apps.media.video import Video
from cfrnet_ros.apps.packages import ros_missing_text
from cfrnet_ros.apps.restore.face_restorer import FaceRestorer
from cfrnet_ros.fleet.options import Options
from cfrnet_ros.fleet.outcome import Counts, Outcome
from cfrnet_ros.fleet.plan import BAG, UNKNOWN, Job
from cfrnet_ros.replay.errors import ReplayError
from cfrnet_ros.vision.engine.session_pool import SessionPool
from cfrnet_ros.vision.errors import VisionError

#: Models of this process, and its restorers by options and number of the camera in a bag: a worker
#: restores many recordings with the same.
_POOL = SessionPool()
_RESTORERS: dict[tuple[Options, int], FaceRestorer] = {}


def restore(job: Job, options: Options) -> Outcome:
    """Restore one recording; whatever is wrong with it is said in the outcome.

    Args:
        job: Recording and result. Both paths must be visible to the machine of the worker.
        options: What to do.

    """
    # Each core has a process of its own.
    cv2.setNumThreads(1)
    wall, cpu = time.monotonic(), time.process_time()
    counts, notes, error = Counts(), list[str](), ''
    try:
        # Models are loaded once for many recordings, so that their time is none of the first one's.
        _restorer(options, 0)
        wall, cpu = time.monotonic(), time.process_time()
        counts, notes = _restore(job, options)
    except Exception as problem:
        # Also what no part of the code expects: a recording may be damaged in any way.
        known = isinstance(problem, MediaError | ReplayError | VisionError)
        text = ' '.join(str(problem).split())
        error = text if known and text else f'{type(problem).__name__}: {text}'
    return Outcome(
        job.source,
        str(job.target),
        error,
        tuple(notes),
        counts,
        round(time.process_time() - cpu, 3),
        round(time.monotonic() - wall, 3),
        socket.gethostname(),
    )


def _restore(job: Job, options: Options) -> tuple[Counts, list[str]]:
    source = Path(job.source)
    if not source.exists():
        raise MediaError(f'there is no such file or folder on {socket.gethostname()}')
    if job.kind == UNKNOWN:
        raise MediaError('neither a bag nor a video by its name')
    if job.kind == BAG:
        missing = ros_missing_text('bags')
        if missing:
            raise MediaError(missing)
        # Videos need no ROS 2.
        from cfrnet_ros.fleet.restore_bag import restore_bag

        return restore_bag(source, job.target, options, partial(_restorer, options))
    return _video(source, job.target, options)


def _video(source: Path, target: Path, options: Options) -> tuple[Counts, list[str]]:
    target.parent.mkdir(parents=True, exist_ok=True)
    for left in target.parent.glob(f'.{target.stem}.*.part{target.suffix}'):
        # Of a process that was killed.
        left.unlink(missing_ok=True)
    video = Video(source)
    rate = float(video.rate)
    video.close()
    counts = Counts()
    restorer = _restorer(options, 0)
    restorer.new_video()

    def change(bgr: NDArray[np.uint8], time_s: float) -> NDArray[np.uint8]:
        restored = restorer.frame(bgr, time_s)
        counts.frames += 1
        counts.faces += restored.restored
        return restored.bgr

    notes = change_video(source, target, change, lambda: None)
    counts.media_s = counts.frames / rate
    return counts, notes


def _restorer(options: Options, number: int) -> FaceRestorer:
    """Return the restorer of the n-th camera; all of them share the models."""
    key = (options, number)
    if key not in _RESTORERS:
        _RESTORERS[key] = FaceRestorer(options.engine, options.settings, options.rotation, _POOL)
    return _RESTORERS[key]
