"""Command line of the replay: bag in, the real node, bag, tables and report out."""

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
from cfrnet_ros.replay import regression_main
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
Exit codes: 0; 1 after an error; 2 for wrong arguments; 130 after Ctrl-C. Of --compare:
0 where B is as good as A, 1 where it differs more than allowed, 2 where they cannot be
compared.
"""


@contextlib.contextmanager
def progress_bar(frames: int) -> Iterator[OnFrame]:
    """Show a bar for a number of frames; yields what `run_replay` calls for each."""
    # A log file gets a line every few seconds, a terminal a bar that moves.
    pause_s = 0.1 if sys.stderr.isatty() else 5.0
    with tqdm(total=frames, unit='frame', desc='playing', mininterval=pause_s) as bar:

        def update(cycles: int, frame: PlayedFrame, counts: Mapping[str, int]) -> None:
            bar.set_postfix_str(f'k = {cycles}, {counts[FACE_TOPIC]} faces back', refresh=False)
            bar.update()

        yield update


def replay_and_report(plan: ReplayPlan, report: Path, options: ReportOptions) -> ReplayLog:
    """Play with a progress bar, write tables, sheets, videos and report; say where they are.

    Raises:
        ReplayError: see `run_replay` and `write_results`.
        VisionError: see `write_report`.

    """
    start = time.monotonic()
    with BagReader(plan.bag) as bag:
        frames = bag.count(bag.image_topic(plan.topic)) * len(plan.cycles)
    with progress_bar(frames) as on_frame:
        log = run_replay(plan, on_frame)
    print(f'{log.received[FACE_TOPIC]} crops of {frames} frames; measuring them')
    results = write_results(log, options.truth_topic, options.label_topic)
    write_report(log, results, report, options)
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
    """Call a function; turn what can go wrong into a message and an exit code."""
    try:
        # A domain of our own, so that no robot nearby hears us, unless the user chose one.
        if 'ROS_DOMAIN_ID' not in os.environ:
            os.environ['ROS_DOMAIN_ID'] = str(claim_domain())
        action()
    except (ReplayError, VisionError) as error:
        print(f'\nerror: {error}', file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print('\ninterrupted', file=sys.stderr)
        return 130
    return 0


def _parameter(text: str) -> tuple[str, Any]:
    name, separator, value = text.partition(':=')
    if not separator:
        raise argparse.ArgumentTypeError(f'expected NAME:=VALUE, got {text!r}')
    return name, yaml.safe_load(value)


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
        description='Play a bag through the real node; write a bag, tables, pictures and a report.'
        ' Or compare what two replays have written.',
        epilog=_EPILOG,
    )
    parser.add_argument('bag', type=Path, nargs='?', help='folder, .mcap or .db3 file')
    parser.add_argument('-o', '--out', type=Path, default=None, help='folder to fill (replay)')
    parser.add_argument('-t', '--topic', help='of the images, if there are several')
    parser.add_argument(
        '-k', '--cycles', nargs='+', default=['1,2,3'], metavar='K', help='1,2,3 or 1 2 3'
    )
    parser.add_argument('-r', '--rate', type=_positive, default=1.0, help='speed of replay')
    parser.add_argument(
        '-d',
        '--deterministic',
        action='store_true',
        help='every frame, one at a time, with the stamps of the bag: two runs give the same bag',
    )
    parser.add_argument(
        '--answer-timeout',
        type=_positive,
        default=30.0,
        metavar='S',
        help='how long the node may take for a frame then',
    )
    parser.add_argument(
        '--load-spike',
        type=_spike,
        metavar='START,SECONDS,PROCESSES',
        help='keep the CPU busy during a part of each pass',
    )
    parser.add_argument(
        '--views-hz', type=_positive, default=3.0, help='whole frames a second to record at most'
    )
    parser.add_argument('--params-file', type=Path, help="YAML file with the node's parameters")
    parser.add_argument(
        '-p',
        '--param',
        type=_parameter,
        action='append',
        default=[],
        metavar='NAME:=VALUE',
        help="parameter of the node's, may be repeated",
    )
    parser.add_argument('--truth-topic', help='undegraded images in the bag, same stamps')
    parser.add_argument('--label-topic', help='std_msgs/String naming what follows, in the bag')
    regression_main.add_arguments(parser)
    return parser


def _cycles(given: argparse.Namespace, parser: argparse.ArgumentParser) -> list[int]:
    """Read the cycles; a bag that stands behind them was taken for one of them."""
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
            f'--cycles needs numbers from {declared.range_text}, as 1,2,3; got {" ".join(words)!r}'
        )
    return cycles


def main(args: Sequence[str] | None = None) -> int:
    """Run; returns the exit code, see `_EPILOG`."""
    parser = _parser()
    given = parser.parse_args(args)
    cycles = _cycles(given, parser)
    if given.compare is not None:
        if given.bag is not None:
            parser.error('--compare takes two folders that replays have filled, and no bag')
        return regression_main.run(given)
    if given.bag is None:
        parser.error('which bag? Give its folder, or a .mcap or .db3 file')
    if given.deterministic and given.load_spike is not None:
        parser.error('--load-spike shows in real time only: leave --deterministic away')
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
        + (', every frame one at a time.' if given.deterministic else '.'),
        truth_topic=given.truth_topic,
        label_topic=given.label_topic,
    )
    return guarded(lambda: replay_and_report(plan, out / 'report.html', options))


if __name__ == '__main__':
    sys.exit(main())
