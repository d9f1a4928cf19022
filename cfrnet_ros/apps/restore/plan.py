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

"""Decides which files are restored and where the results go."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from cfrnet_ros.apps.media.pictures import FORMATS
from cfrnet_ros.apps.media.webcam import is_webcam

#: Suffixes of videos.
VIDEO_SUFFIXES = (
    '.3gp', '.avi', '.flv', '.gif', '.m4v', '.mkv', '.mov', '.mp4', '.mpeg', '.mpg', '.mts',
    '.ts', '.webm', '.wmv',
)  # fmt: skip
#: Suffixes that a restored video keeps; all others become .mp4.
_KEPT_VIDEO = ('.mkv', '.mov', '.mp4')

PICTURE, VIDEO, WEBCAM, UNKNOWN = 'picture', 'video', 'webcam', 'unknown'

#: Folders of the results, with the names of GFPGAN's.
PICTURES, VIDEOS = 'restored_imgs', 'restored_videos'
BEFORE, AFTER, COMPARED = 'cropped_faces', 'restored_faces', 'cmp'


@dataclass(frozen=True)
class Job:
    """One input and its result.

    Attributes:
        source: Path of the input, or the name of a webcam.
        kind: PICTURE, VIDEO, WEBCAM or UNKNOWN.
        target: Path of the result.
        name: Path of the result without its suffix, from its folder in the results.

    """

    source: str
    kind: str
    target: Path
    name: Path


def make_plan(inputs: Sequence[str], out: Path, suffix: str, now: str) -> list[Job]:
    """Find all pictures and videos, and name their results.

    Args:
        inputs: Files, folders, which are searched with their sub-folders, and webcams.
        out: Folder of the results; it is left out where a given folder holds it.
        suffix: Suffix of restored pictures, with its dot; '' for that of each input.
        now: Time for the names of webcams' videos, such as 20260131_235959.

    Returns:
        Jobs in the order of the inputs, without duplicates. A file that is named twice has one job.

    """
    jobs: list[Job] = []
    seen: set[str] = set()
    taken: set[Path] = set()
    for source, relative in _files(inputs, out):
        key = source if is_webcam(source) else str(Path(source).resolve())
        if key in seen:
            continue
        seen.add(key)
        kind = _kind(source)
        if kind == WEBCAM:
            name, ending = Path(f'{_plain(source)}_{now}'), '.mp4'
        else:
            name, ending = relative.with_suffix(''), relative.suffix
        folder = out / (PICTURES if kind in (PICTURE, UNKNOWN) else VIDEOS)
        if kind == PICTURE and suffix:
            ending = suffix
        elif kind == VIDEO and ending.lower() not in _KEPT_VIDEO:
            ending = '.mp4'
        target = folder / f'{name}{ending}'
        if _key(target) in taken and kind != WEBCAM:
            # Such as a.jpg and a.png that both become a.png.
            name = name.with_name(f'{name.name}_{relative.suffix.lstrip(".").lower()}')
            target = folder / f'{name}{ending}'
        number = 2
        stem = name
        while _key(target) in taken:
            # Such as one/a.jpg and two/a.jpg, named one by one.
            name = stem.with_name(f'{stem.name}_{number}')
            target = folder / f'{name}{ending}'
            number += 1
        taken.add(_key(target))
        jobs.append(Job(source, kind, target, name))
    return jobs


def _files(inputs: Sequence[str], out: Path) -> Iterator[tuple[str, Path]]:
    """Yield each input with its path from the given folder."""
    for given in inputs:
        path = Path(given).expanduser()
        if is_webcam(given) or not path.is_dir():
            yield given if is_webcam(given) else str(path), Path(path.name)
            continue
        for found in sorted(path.rglob('*')):
            relative = found.relative_to(path)
            hidden = any(part.startswith('.') for part in relative.parts)
            ours = out.resolve() in found.resolve().parents and out.resolve() != path.resolve()
            ours = ours and out.resolve() not in path.resolve().parents
            if found.is_file() and not hidden and not ours and _kind(str(found)) != UNKNOWN:
                yield str(found), relative


def _kind(source: str) -> str:
    if is_webcam(source):
        return WEBCAM
    suffix = Path(source).suffix.lower()
    if suffix in FORMATS:
        return PICTURE
    return VIDEO if suffix in VIDEO_SUFFIXES else UNKNOWN


def _plain(source: str) -> str:
    """Return a name for files from that of a webcam."""
    return '_'.join(part for part in source.replace('/', ':').split(':') if part)


def _key(target: Path) -> Path:
    # File systems of macOS and Windows take names that differ in case for the same.
    return Path(str(target).lower())
