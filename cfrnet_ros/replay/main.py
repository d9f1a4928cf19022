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

"""Command line of the replay: plays a bag into the real node and writes bag and report."""

from __future__ import annotations

import argparse
import contextlib
import os
import re
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from tqdm import tqdm

from cfrnet_ros.node.parameters import PARAMETERS
from cfrnet_ros.replay import regression_main, speed
from cfrnet_ros.replay.bag_reader import BagReader
from cfrnet_ros.replay.errors import ReplayError
from cfrnet_ros.replay.load import LoadSpike
from cfrnet_ros.replay.plan import FACE_TOPIC, ReplayLog, ReplayPlan
from cfrnet_ros.replay.player import PlayedFrame
from cfrnet_ros.replay.report import ReportOptions, write_report
from cfrnet_ros.replay.results import write_results
from cfrnet_ros.replay.ros_domain import claim_domain
from cfrnet_ros.replay.session import OnFrame, run_replay
from cfrnet_ros.vision.errors import VisionError

_EPILOG = """\
Exit codes: 0 on success, 1 after an error, 2 for wrong arguments, 130 after Ctrl-C.
With --compare: 0 if B is as good as A, 1 if it differs by more than the limits allow, 2 if
the two replays cannot be compared.
"""


@contextlib.contextmanager
def progress_bar(frames: int) -> Iterator[OnFrame]:
    """Show a bar for a number of frames; yields the callback that `run_replay` needs."""
    # A log file gets a line every few seconds, a terminal a bar that moves.
    pause_s = 0.1 if sys.stderr.isatty() else 5.0
    with tqdm(total=frames, unit='frame', desc='playing', mininterval=pause_s) as bar:

        def update(cycles: int, frame: PlayedFrame, counts: Mapping[str, int]) -> None:
            bar.set_postfix_str(f'k = {cycles}, {counts[FACE_TOPIC]} faces back', refresh=False)
            bar.update()

        yield update


def replay_and_report(plan: ReplayPlan, report: Path, options: ReportOptions) -> ReplayLog:
    """Play with a progress bar, write the results and the report, and print their paths.

    Raises:
        ReplayError: The bag cannot be played, or the results cannot be written.
        VisionError: The model file has been removed since the replay began.

    """
    start = time.monotonic()
    with BagReader(plan.bag) as bag:
        frames = bag.count(bag.image_topic(plan.topic)) * len(plan.cycles)
    with progress_bar(frames) as on_frame:
        log = run_replay(plan, on_frame)
    print(f'{log.received[FACE_TOPIC]} crops of {frames} frames received; measuring them')
    results = write_results(log, options.truth_topic, options.label_topic)
    write_report(log, results, report, options)
    speeds = speed.speeds_of(results.passes)
    if speeds:
        print(f'\nthis machine: {speed.listing(speeds)}')
        print(speed.advice(speeds, speed.camera_hz(log)))
    pictures = [path for path in (*results.videos, *results.sheets) if path is not None]
    print(
        f'\nreport     {report.resolve()}'
        f'\ntables     {plan.out.resolve()}/frames.csv, faces.csv, summary.json'
        f'\npictures   {", ".join(path.name for path in pictures)}'
        f'\nrecording  {plan.recording.resolve()}  (MCAP: ros2 bag, Foxglove)'
        f'\nplayed     {plan.bag.resolve()}'
        f'\nnode log   {log.node_log.resolve()}'
        f'\n{time.monotonic() - start:.0f} s'
    )
    return log


def guarded(action: Callable[[], Any]) -> int:
    """Call a function; an error becomes a message and the exit code 1, Ctrl-C becomes 130."""
    try:
        # A domain of its own keeps robots nearby out of the replay, unless the user chose one.
        if 'ROS_DOMAIN_ID' not in os.environ:
            domain = claim_domain()
            os.environ['ROS_DOMAIN_ID'] = str(domain)
            print(
                f'ROS domain {domain}, which nothing else uses; other programs join it after'
                f'\n  export ROS_DOMAIN_ID={domain}',
                flush=True,
            )
        action()
    except (ReplayError, VisionError) as error:
        print(f'\nerror: {error}', file=sys.stderr)
        return 1
    except OSError as error:
        print(
            f'\nerror: cannot read or write a file: {error}; check permissions and free space,'
            ' or choose another --out',
            file=sys.stderr,
        )
        return 1
    except KeyboardInterrupt:
        print('\ninterrupted', file=sys.stderr)
        return 130
    return 0


def _parameter(text: str) -> tuple[str, Any]:
    name, separator, value = text.partition(':=')
    if not separator:
        raise argparse.ArgumentTypeError(f'expected NAME:=VALUE, got {text!r}')
    try:
        return name, yaml.safe_load(value)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        reason = ' '.join(str(error).split())
        raise argparse.ArgumentTypeError(f'{value!r} is no value in YAML: {reason}') from error


def _spike(text: str) -> LoadSpike:
    try:
        return LoadSpike.parse(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def _positive(text: str) -> float:
    value = float(text)
    if not 0 < value < float('inf'):
        raise argparse.ArgumentTypeError(f'must be above 0, got {text}')
    return value


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog='cfrnet-replay',
        usage='%(prog)s BAG [options]\n       %(prog)s --compare A B [options]',
        description='Play a bag through the real node and write a bag, tables, pictures and a'
        ' report; or compare the results of two replays.',
        epilog=_EPILOG,
    )
    parser.add_argument(
        'bag', type=Path, nargs='?', help='bag to play: its folder, or a .mcap or .db3 file'
    )
    parser.add_argument(
        '-o', '--out', type=Path, default=None, help='folder for the results (default: replay)'
    )
    parser.add_argument('-t', '--topic', help='topic of the images; needed if the bag has several')
    parser.add_argument(
        '-k',
        '--cycles',
        nargs='+',
        default=['1,2,3'],
        metavar='K',
        help='numbers of cycles; the bag is played once for each (default: 1,2,3)',
    )
    parser.add_argument(
        '-r',
        '--rate',
        type=_positive,
        default=1.0,
        help='speed of the replay; 1 is the speed of recording (default: 1)',
    )
    parser.add_argument(
        '-d',
        '--deterministic',
        action='store_true',
        help='send the frames one at a time, with the stamps of the bag, so that two runs write'
        ' the same bag',
    )
    parser.add_argument(
        '--answer-timeout',
        type=_positive,
        default=30.0,
        metavar='S',
        help='longest time that the node may take for a frame with --deterministic, in seconds'
        ' (default: 30)',
    )
    parser.add_argument(
        '--load-spike',
        type=_spike,
        metavar='START,SECONDS,PROCESSES',
        help='run PROCESSES busy processes for SECONDS, from START seconds after the first frame'
        ' of each pass',
    )
    parser.add_argument(
        '--views-hz',
        type=_positive,
        default=3.0,
        help='most whole frames to record per second (default: 3)',
    )
    parser.add_argument('--params-file', type=Path, help="YAML file with the node's parameters")
    parser.add_argument(
        '-p',
        '--param',
        type=_parameter,
        action='append',
        default=[],
        metavar='NAME:=VALUE',
        help='parameter of the node; may be repeated',
    )
    parser.add_argument(
        '--truth-topic',
        help='topic in the bag with undegraded images (ground truth) of the same stamps',
    )
    parser.add_argument(
        '--label-topic',
        help='topic in the bag whose std_msgs/String messages name the part that follows them',
    )
    regression_main.add_arguments(parser)
    return parser


def _cycles(given: argparse.Namespace, parser: argparse.ArgumentParser) -> list[int]:
    """Read the cycles; in `--cycles 1 2 BAG` the last word is taken as the bag."""
    words = list(given.cycles)
    if given.bag is None and len(words) > 1 and not re.fullmatch(r'[\d,]+', words[-1]):
        given.bag = Path(words.pop())
    numbers = [part for word in words for part in word.split(',') if part]
    declared = PARAMETERS['cycles']
    try:
        cycles = [int(part) for part in numbers]
        for number in cycles:
            declared.convert(number)
    except ValueError:
        cycles = []
    if not cycles:
        parser.error(
            f'--cycles needs numbers from {declared.range_text}, for example 1,2,3; got'
            f' {" ".join(words)!r}'
        )
    return cycles


def main(args: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit code, as `--help` lists them."""
    parser = _parser()
    given = parser.parse_args(args)
    cycles = _cycles(given, parser)
    if given.compare is not None:
        if given.bag is not None:
            parser.error('--compare takes the result folders of two replays, and no bag')
        return regression_main.run(given)
    if given.bag is None:
        parser.error('no bag given: name its folder, or a .mcap or .db3 file')
    if given.deterministic and given.load_spike is not None:
        parser.error('--load-spike has an effect in real time only: run without --deterministic')
    out = Path('replay') if given.out is None else given.out
    plan = ReplayPlan(
        bag=given.bag,
        out=out,
        topic=given.topic,
        cycles=cycles,
        rate=given.rate,
        parameters=dict(given.param),
        params_file=given.params_file,
        views_hz=given.views_hz,
        deterministic=given.deterministic,
        answer_timeout_s=given.answer_timeout,
        load=given.load_spike,
    )
    options = ReportOptions(
        title=f'cfrnet_ros: {given.bag.name}',
        intro=f'{given.bag}, played once for each number of cycles'
        + (', one frame at a time.' if given.deterministic else '.'),
        truth_topic=given.truth_topic,
        label_topic=given.label_topic,
    )
    return guarded(lambda: replay_and_report(plan, out / 'report.html', options))


if __name__ == '__main__':
    sys.exit(main())
