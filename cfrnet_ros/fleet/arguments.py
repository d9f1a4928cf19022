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

"""Command line of `cfrnet-fleet`."""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cfrnet_ros.apps.restore.arguments import parse_setting
from cfrnet_ros.apps.restore.face_restorer import Engine
from cfrnet_ros.fleet.options import Options
from cfrnet_ros.vision.settings import PipelineSettings

DESCRIPTION = """\
Restores the faces in thousands of bags and videos, on all cores of this machine or of a cluster.
No ROS node is started and nothing is sent over DDS.

  cfrnet-fleet /data/drives --out /data/restored
  cfrnet-fleet @recordings.txt --out /data/restored --scheduler tcp://head:8786

@FILE has one path on each line. On a cluster, recordings and results must have the same paths on
all machines.
"""

EPILOG = """\
Results that are there are skipped, so a run that was interrupted goes on where it ended, and what
failed is tried again. Results appear under their name when they are whole. fleet.jsonl in the
folder of the results has a line for each recording that was tried.

Exit code: 0 if everything was restored, 1 if some recordings failed, 2 for a wrong command line, a
model that cannot be loaded or a cluster that does not answer, 130 after Ctrl-C.
"""


@dataclass(frozen=True)
class Arguments:
    """Parsed command line.

    Attributes:
        inputs: Bags, videos and folders.
        out: Folder of the results, absolute.
        options: What is done with every recording.
        scheduler: Address of an existing Dask scheduler; '' for processes on this machine.
        workers: Number of processes on this machine.
        overwrite: Whether results that are there are made again.
        quiet: Whether only errors are printed.

    """

    inputs: list[str]
    out: Path
    options: Options
    scheduler: str
    workers: int
    overwrite: bool
    quiet: bool


def parse(args: Sequence[str] | None) -> Arguments:
    """Parse a command line.

    Args:
        args: Command line without the program's name; None for that of `sys.argv`.

    Raises:
        SystemExit: The command line is wrong (code 2), or it asks for help (code 0).

    """
    parser = _parser()
    given = parser.parse_args(args)
    settings: dict[str, Any] = {}
    try:
        settings |= map(parse_setting, given.set)
        if given.cycles is not None:
            settings['cycles'] = given.cycles
        pipeline = PipelineSettings(**settings)
    except ValueError as error:
        parser.error(str(error))
    if given.workers < 1:
        parser.error('--workers must be 1 or above')
    if not 1 <= given.jpeg_quality <= 100:
        parser.error('--jpeg-quality must be 1 to 100')
    # One thread for each process: all cores are used by processes already.
    engine = Engine(given.model, given.provider, threads=1, detection_px=given.detection_px)
    return Arguments(
        inputs=[str(Path(path).expanduser().resolve()) for path in given.input],
        out=given.out.expanduser().resolve(),
        options=Options(
            engine=engine,
            settings=pipeline,
            rotation=given.camera_rotation,
            topics=tuple(given.topic),
            whole_frames=given.whole_frames,
            raw_crops=given.raw_crops,
            jpeg_quality=given.jpeg_quality,
        ),
        scheduler=given.scheduler,
        workers=given.workers,
        overwrite=given.overwrite,
        quiet=given.quiet,
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog='cfrnet-fleet',
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        fromfile_prefix_chars='@',
    )
    add = parser.add_argument
    add('input', nargs='+', help='bags (folders, .mcap, .db3), videos, and folders of them')
    add('--out', '-o', type=Path, required=True, metavar='FOLDER', help='folder of the results')
    add('--workers', '-w', type=int, default=os.cpu_count() or 1, metavar='N',
        help='processes on this machine (default: one for each core)')  # fmt: skip
    add('--scheduler', default='', metavar='ADDRESS',
        help='scheduler of an existing Dask cluster, such as tcp://head:8786')  # fmt: skip
    add('--cycles', '-k', type=int, metavar='K', help='number of cycles, 1 to 8')
    add('--set', action='append', default=[], metavar='NAME=VALUE',
        help='any parameter of docs/parameters.md that concerns the picture')  # fmt: skip
    add('--topic', action='append', default=[], metavar='TOPIC',
        help='topic of the images in bags, may be repeated (default: all with images)')  # fmt: skip
    add('--whole-frames', action='store_true',
        help='also write the restored frames of bags, as JPEG')  # fmt: skip
    add('--raw-crops', action='store_true',
        help='write the crops of bags as sensor_msgs/Image, eight times as large')  # fmt: skip
    add('--jpeg-quality', type=int, default=95, metavar='Q',
        help='quality of JPEG, 1 to 100 (default: 95)')  # fmt: skip
    add('--camera-rotation', type=int, default=0, choices=(0, 90, 180, 270), metavar='DEGREES',
        help='angle by which pictures must be turned clockwise to be upright')  # fmt: skip
    add('--model', '-m', default='auto', metavar='MODEL',
        help="'auto', 'fp32', 'int8', 'plain', or the path of an ONNX file")  # fmt: skip
    add('--provider', default='auto', metavar='NAME',
        help='execution provider of ONNX Runtime, see docs/hardware.md')  # fmt: skip
    add('--detection-px', type=int, default=0, metavar='PX',
        help='longer side of the picture when faces are looked for (default: 640)')  # fmt: skip
    add('--overwrite', action='store_true', help='restore again what is in the results already')
    add('--quiet', '-q', action='store_true', help='print errors only')
    return parser
