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

"""Decides which recordings are restored and where the results go."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from cfrnet_ros.apps.restore.plan import VIDEO_SUFFIXES, VIDEOS

BAG, VIDEO, UNKNOWN = 'bag', 'video', 'unknown'
#: Folder of restored bags in the results; that of videos is `VIDEOS`.
BAGS = 'restored_bags'

_BAG_SUFFIXES = ('.mcap', '.db3')
#: File that makes a folder a bag.
_METADATA = 'metadata.yaml'
#: Suffixes that a restored video keeps; all others become .mp4.
_KEPT = ('.mkv', '.mov', '.mp4')


@dataclass(frozen=True)
class Job:
    """One recording and its result.

    Attributes:
        source: Path of the recording.
        kind: BAG, VIDEO or UNKNOWN.
        target: Path of the result: a folder for a bag, a file for a video.

    """

    source: str
    kind: str
    target: Path


def make_plan(inputs: Sequence[str], out: Path) -> list[Job]:
    """Find all bags and videos, and name their results.

    Args:
        inputs: Bags, videos, and folders, which are searched with their sub-folders.
        out: Folder of the results; what it holds is no recording.

    Returns:
        Jobs in the order of the inputs, without duplicates. Two recordings whose results would
        have the same name get numbers.

    """
    jobs: list[Job] = []
    seen: set[Path] = set()
    taken: set[str] = set()
    for path, relative in _recordings(inputs, out):
        if path.resolve() in seen:
            continue
        seen.add(path.resolve())
        kind = _kind(path)
        folder = out / (BAGS if kind == BAG else VIDEOS)
        stem = relative.with_suffix('') if path.is_file() else relative
        suffix = '' if kind == BAG else relative.suffix.lower()
        if kind == VIDEO and suffix not in _KEPT:
            suffix = '.mp4'
        name, number = folder / f'{stem}{suffix}', 2
        while str(name).lower() in taken:
            name = folder / f'{stem}_{number}{suffix}'
            number += 1
        taken.add(str(name).lower())
        jobs.append(Job(str(path), kind, name))
    return jobs


def _recordings(inputs: Sequence[str], out: Path) -> Iterator[tuple[Path, Path]]:
    """Yield each recording with its path from the given folder."""
    for given in inputs:
        path = Path(given).expanduser()
        if path.is_dir() and _kind(path) != BAG:
            for found in sorted(_within(path, out.resolve())):
                yield found, found.relative_to(path)
        else:
            # Also what does not exist: the summary says so.
            yield path, Path(path.name)


def _within(folder: Path, out: Path) -> Iterator[Path]:
    """Yield the bags and videos in a folder; a bag's own files are none of their own."""
    for found in folder.iterdir():
        if found.name.startswith('.') or found.resolve() == out:
            continue
        if _kind(found) != UNKNOWN:
            yield found
        elif found.is_dir():
            yield from _within(found, out)


def _kind(path: Path) -> str:
    if path.is_dir():
        return BAG if (path / _METADATA).is_file() else UNKNOWN
    suffix = path.suffix.lower()
    if suffix in _BAG_SUFFIXES:
        return BAG
    return VIDEO if suffix in VIDEO_SUFFIXES else UNKNOWN
