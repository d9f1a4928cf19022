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

"""Command line of `cfrnet-restore`."""

from __future__ import annotations

import argparse
import ast
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cfrnet_ros.apps.restore.face_restorer import Engine
from cfrnet_ros.vision.declaration import Declaration, declarations
from cfrnet_ros.vision.settings import PipelineSettings
from cfrnet_ros.vision.types import MAX_CYCLES, MAX_PARALLEL_FRAMES

DESCRIPTION = """\
Restores the faces in pictures and videos, and blends them back into the whole picture. ROS is not
needed.

  cfrnet-restore photo.jpg                     results/restored_imgs/photo.jpg
  cfrnet-restore holiday/ --crops --out new    all pictures and videos of a folder, and the faces
  cfrnet-restore dashcam.mp4 --cycles 3        results/restored_videos/dashcam.mp4, with its sound
  cfrnet-restore webcam --seconds 10           a webcam, recorded until Ctrl-C or for 10 s
"""

EPILOG = """\
What is in the folder of the results already is skipped, so a run that was interrupted goes on where
it ended. No input is ever overwritten.

Exit code: 0 if everything was restored, 1 if some inputs could not be read or written, 2 for a
wrong command line or a model that cannot be loaded, 130 after Ctrl-C.
"""

#: Formats that pictures can be asked for in, by the value of --ext.
SUFFIXES = {'auto': '', 'jpg': '.jpg', 'png': '.png', 'tif': '.tif', 'webp': '.webp'}

_SETTINGS: Mapping[str, Declaration] = declarations(PipelineSettings)


@dataclass(frozen=True)
class Arguments:
    """Parsed command line.

    Attributes:
        inputs: Files, folders and webcams, as they were given.
        out: Folder of the results.
        engine: Models and where they run.
        settings: Settings of the pipeline that were given or differ from the node's, by name.
        rotation: Angle by which pictures must be turned clockwise to be upright, in degrees.
        crops: Whether the crops are written too.
        overwrite: Whether results that are there already are made again.
        suffix: Suffix of restored pictures, '' for that of each input.
        seconds: Length of a recording from a webcam; 0 records until Ctrl-C.
        quiet: Whether only errors are printed.

    """

    inputs: list[str]
    out: Path
    engine: Engine
    settings: dict[str, Any]
    rotation: int
    crops: bool
    overwrite: bool
    suffix: str
    seconds: float
    quiet: bool

    def picture_settings(self) -> PipelineSettings:
        """Return the settings of the pipeline."""
        return PipelineSettings(**self.settings)


def parse(args: Sequence[str] | None) -> Arguments:
    """Parse a command line.

    Args:
        args: Command line without the program's name; None for that of `sys.argv`.

    Raises:
        SystemExit: The command line is wrong (code 2), or it asks for help (code 0).

    """
    parser = _parser()
    given = parser.parse_args(args)
    # A picture is not shown at a rate, so there is no reason to leave out any of its faces.
    settings: dict[str, Any] = {'max_faces': 64}
    try:
        settings |= map(parse_setting, given.set)
        settings |= {
            name: value
            for name in ('cycles', 'strength')
            if (value := getattr(given, name)) is not None
        }
        PipelineSettings(**settings)
    except ValueError as error:
        parser.error(str(error))
    if given.seconds < 0:
        parser.error('--seconds must be 0 or above')
    return Arguments(
        inputs=given.input,
        out=given.out.expanduser(),
        engine=Engine(
            given.model,
            given.provider,
            given.threads,
            given.crop_size,
            given.detector_model,
            given.detection_px,
            given.parallel_frames,
        ),
        settings=settings,
        rotation=given.camera_rotation,
        crops=given.crops,
        overwrite=given.overwrite,
        suffix=SUFFIXES[given.ext],
        seconds=given.seconds,
        quiet=given.quiet,
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog='cfrnet-restore',
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add('input', nargs='+', help="pictures, videos, folders, and 'webcam' or 'webcam:SOURCE' with"
        ' the number of a camera, a device, or the address of a stream')  # fmt: skip
    add('--out', '-o', type=Path, default=Path('results'), metavar='FOLDER',
        help='folder of the results (default: results)')  # fmt: skip
    add('--cycles', '-k', type=int, metavar='K',
        help=f'number of cycles, 1 to {MAX_CYCLES} (default:'
        f' {_SETTINGS["cycles"].default}); more restore more')  # fmt: skip
    add('--strength', '-s', type=float, metavar='S',
        help='share of the restored face, 0 to 1 (default: 1); the rest is the face before'
        ' the network, averaged over the frames of a video, brightened if it is dark')  # fmt: skip
    add('--crops', action='store_true',
        help='also write each face before (cropped_faces), after (restored_faces) and side by'
        ' side (cmp)')  # fmt: skip
    add('--camera-rotation', type=int, default=0, choices=(0, 90, 180, 270), metavar='DEGREES',
        help='angle by which pictures must be turned clockwise to be upright: 90, 180 or 270; the'
        ' orientation of EXIF and of videos is obeyed without it')  # fmt: skip
    add('--ext', default='auto', choices=sorted(SUFFIXES),
        help='format of restored pictures (default: that of each input)')  # fmt: skip
    add('--overwrite', action='store_true', help='restore again what is in the results already')
    add('--seconds', type=float, default=0.0, metavar='S', help='length of a recording of a webcam')
    add('--set', action='append', default=[], metavar='NAME=VALUE',
        help='any parameter of docs/parameters.md that concerns the picture, such as'
        ' min_face_px=16 or max_identity_drift=45')  # fmt: skip
    add('--model', '-m', default='auto', metavar='MODEL',
        help="'auto', 'fp32', 'int8', 'plain', or the path of an ONNX file")  # fmt: skip
    add('--crop-size', type=int, default=0, choices=(0, 256, 512), metavar='PX',
        help='side of the crops, 256 or 512 (default: that of the model)')  # fmt: skip
    add('--detector-model', default='', metavar='FILE', help='YuNet file in place of the shipped')
    add('--detection-px', type=_detection_px, default=0, metavar='PX',
        help='longer side of the picture when faces are looked for (default: 1280 for pictures,'
        ' 640 for videos); more finds smaller faces')  # fmt: skip
    add('--provider', default='auto', metavar='NAME',
        help='execution provider of ONNX Runtime, see docs/hardware.md')  # fmt: skip
    add('--threads', type=int, default=0, metavar='N', help='CPU threads, 0 for all')
    add('--parallel-frames', type=int, default=1, metavar='N',
        choices=range(1, MAX_PARALLEL_FRAMES + 1),
        help=f'frames of a video that are restored at once, 1 to {MAX_PARALLEL_FRAMES} (default:'
        ' 1); as many as there are cores takes the least time')  # fmt: skip
    add('--quiet', '-q', action='store_true', help='print errors only')
    return parser


def _detection_px(text: str) -> int:
    side = int(text)
    if not 64 <= side <= 4096:
        raise argparse.ArgumentTypeError('must be 64 to 4096')
    return side


def parse_setting(entry: str) -> tuple[str, Any]:
    """Return name and value of NAME=VALUE for a setting of the pipeline.

    Raises:
        ValueError: The form is another one, the name is unknown, or the value is out of range.

    """
    name, equals, text = entry.partition('=')
    if not equals or name not in _SETTINGS:
        known = ', '.join(_SETTINGS)
        raise ValueError(f'--set {entry!r}: write NAME=VALUE with one of these names: {known}')
    words = {'true': True, 'false': False}
    value: Any
    try:
        value = words[text.lower()] if text.lower() in words else ast.literal_eval(text)
    except (ValueError, SyntaxError):
        value = text
    return name, _SETTINGS[name].convert(value)
