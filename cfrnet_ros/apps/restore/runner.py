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

"""Restores one input after another."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from cfrnet_ros.apps.media.change_video import change_video
from cfrnet_ros.apps.media.errors import MediaError
from cfrnet_ros.apps.media.pictures import read_picture, write_picture
from cfrnet_ros.apps.media.recording import record
from cfrnet_ros.apps.media.video import Video
from cfrnet_ros.apps.media.webcam import Webcam
from cfrnet_ros.apps.media.whole_file import whole_file
from cfrnet_ros.apps.restore.arguments import Arguments
from cfrnet_ros.apps.restore.crops import write_crops
from cfrnet_ros.apps.restore.face_restorer import FaceRestorer, Restored
from cfrnet_ros.apps.restore.plan import PICTURE, UNKNOWN, VIDEO, WEBCAM, Job
from cfrnet_ros.apps.restore.summary import Summary
from cfrnet_ros.vision.errors import VisionError

T = TypeVar('T')


class Runner:
    """Restores the inputs of a plan, and keeps the account.

    Attributes:
        summary: Account of what was done.

    """

    def __init__(self, given: Arguments, load: Callable[[], FaceRestorer]) -> None:
        """Keep the parts.

        Args:
            given: Command line.
            load: Function that loads the models; it is called when the first input needs them.

        """
        self.summary = Summary()
        self._given = given
        self._load = load
        self._restorer: FaceRestorer | None = None
        self._inputs: set[Path] = set()

    def run(self, jobs: Sequence[Job]) -> None:
        """Restore all inputs; one that fails does not stop the others.

        Raises:
            VisionError: The models cannot be loaded.
            KeyboardInterrupt: The user ended the run. The account is that of the inputs so far.

        """
        self._inputs = {Path(job.source).resolve() for job in jobs if job.kind != WEBCAM}
        with self._bar(len(jobs), 'file') as bar:
            for job in jobs:
                bar.set_postfix_str(Path(job.source).name, refresh=True)
                if job.kind != WEBCAM and job.target.exists() and not self._given.overwrite:
                    self.summary.skipped += 1
                else:
                    self._run(job)
                bar.update()

    def _run(self, job: Job) -> None:
        kinds = {PICTURE: self._picture, VIDEO: self._video, WEBCAM: self._webcam}
        try:
            if job.kind == UNKNOWN:
                there = Path(job.source).exists()
                raise MediaError(
                    'neither a picture nor a video by its name' if there else 'no such file'
                )
            self._check(job.target)
            notes, seen = kinds[job.kind](job)
        except MediaError as error:
            self.summary.failures.append((job.source, str(error)))
            return
        except OSError as error:
            self.summary.failures.append((job.source, error.strerror or str(error)))
            return
        self.summary.written[job.kind] += 1
        self.summary.notes += [(job.source, note) for note in notes]
        if not seen:
            self.summary.faceless.append(job.source)

    def _picture(self, job: Job) -> tuple[list[str], bool]:
        source = Path(job.source)
        picture = read_picture(source)
        restored = self._restore(lambda restorer: restorer.still(picture.bgr))
        if self._given.crops:
            write_crops(self._given.out, job.name, restored.faces, self._check)
        if not restored.restored and source.suffix == job.target.suffix:
            # Nothing was changed, so nothing needs to be lost in another encoding.
            with whole_file(job.target) as part:
                shutil.copyfile(source, part)
            return [], bool(restored.faces)
        notes = write_picture(job.target, picture.changed(restored.bgr))
        return [*picture.notes, *notes], bool(restored.faces)

    def _video(self, job: Job) -> tuple[list[str], bool]:
        source = Path(job.source)
        video = Video(source)
        length = video.length
        video.close()
        with self._bar(length or None, 'frame', leave=False) as bar:
            change = self._frames(job)
            lanes = self._given.engine.parallel_frames
            if lanes == 1:
                notes = change_video(source, job.target, change, bar.update)
            else:
                # One frame more than lanes, so that none of them waits for the next.
                notes = change_video(source, job.target, change.begin, bar.update, lanes)
        return notes, change.seen

    def _webcam(self, job: Job) -> tuple[list[str], bool]:
        # The models are loaded first, so that no frame waits for them.
        change = self._frames(job)
        webcam = Webcam(job.source)
        try:
            with (
                record(job.target, webcam.hz) as recording,
                self._bar(None, 'frame', leave=False) as bar,
                # Ctrl-C is the usual end of a recording, which is kept.
                suppress(KeyboardInterrupt),
            ):
                for time_s, frame in webcam.frames():
                    if 0 < self._given.seconds <= time_s:
                        break
                    recording.write(change(frame, time_s), time_s)
                    bar.update()
        finally:
            webcam.close()
        return [f'recorded to {job.target}'], change.seen

    def _frames(self, job: Job) -> _Frames:
        if self._restorer is None:
            self._restorer = self._load()
        self._restorer.new_video()
        return _Frames(self, job)

    def _restore(self, how: Callable[[FaceRestorer], Restored]) -> Restored:
        restored = self._attempt(how)
        self.summary.add_faces(restored.faces)
        return restored

    def _attempt(self, how: Callable[[FaceRestorer], T]) -> T:
        if self._restorer is None:
            self._restorer = self._load()
        try:
            return how(self._restorer)
        except VisionError as error:
            raise MediaError(str(error)) from error

    def _check(self, path: Path) -> None:
        """Refuse to overwrite an input."""
        if path.resolve() in self._inputs:
            raise MediaError(f"its result would overwrite the input '{path}'; choose another --out")

    def _bar(self, total: int | None, unit: str, leave: bool = True) -> Any:
        # Without a terminal, a bar would fill a log.
        hidden = True if self._given.quiet else None
        return tqdm(total=total, unit=unit, leave=leave, disable=hidden, dynamic_ncols=True)


class _Frames:
    """Restores the frames of one video.

    Attributes:
        seen: Whether any frame had a face.

    """

    def __init__(self, runner: Runner, job: Job) -> None:
        self._runner, self._job, self._number = runner, job, 0
        self.seen = False

    def __call__(self, bgr: NDArray[np.uint8], time_s: float) -> NDArray[np.uint8]:
        runner = self._runner
        return self._note(runner._restore(lambda restorer: restorer.frame(bgr, time_s)))

    def begin(self, bgr: NDArray[np.uint8], time_s: float) -> Callable[[], NDArray[np.uint8]]:
        """Begin with a frame; returns a function that waits for it."""
        runner = self._runner
        finish = runner._attempt(lambda restorer: restorer.begin_frame(bgr, time_s))
        return lambda: self._note(runner._restore(lambda _: finish()))

    def _note(self, restored: Restored) -> NDArray[np.uint8]:
        runner = self._runner
        self.seen = self.seen or bool(restored.faces)
        if runner._given.crops:
            name = self._job.name / f'{self._number:06d}'
            write_crops(runner._given.out, name, restored.faces, runner._check)
        self._number += 1
        return restored.bgr
