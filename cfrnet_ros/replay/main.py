"""Command line of the replay: bag in, the real node, bag and report out."""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from tqdm import tqdm

from cfrnet_ros.replay.bag_reader import BagReader
from cfrnet_ros.replay.errors import ReplayError
from cfrnet_ros.replay.player import PlayedFrame
from cfrnet_ros.replay.report import ReportOptions, write_report
from cfrnet_ros.replay.session import FACE_TOPIC, OnFrame, ReplayLog, ReplayPlan, run_replay
from cfrnet_ros.vision.errors import VisionError


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
    """Play with a progress bar, then write the report, and say where things are.

    Raises:
        ReplayError: see `run_replay` and `write_report`.
        VisionError: see `write_report`.

    """
    start = time.monotonic()
    with BagReader(plan.bag) as bag:
        frames = bag.count(bag.image_topic(plan.topic)) * len(plan.cycles)
    with progress_bar(frames) as on_frame:
        log = run_replay(plan, on_frame)
    print(f'{log.received[FACE_TOPIC]} restored faces of {frames} frames; writing the report')
    write_report(log, report, options)
    print(
        f'\nreport     {report.resolve()}'
        f'\nrecording  {plan.recording.resolve()}  (MCAP: ros2 bag, Foxglove)'
        f'\nplayed     {plan.bag.resolve()}'
        f'\nnode log   {log.node_log.resolve()}'
        f'\n{time.monotonic() - start:.0f} s'
    )
    return log


def guarded(action: Any) -> int:
    """Call a function; turn what can go wrong into a message and an exit code."""
    # A domain of our own, so that no robot nearby hears us, unless the user chose one.
    os.environ.setdefault('ROS_DOMAIN_ID', str(1 + os.getpid() % 100))
    try:
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


def main(args: Sequence[str] | None = None) -> int:
    """Run; returns the exit code: 0, 1 after an error, 130 after Ctrl-C."""
    parser = argparse.ArgumentParser(
        prog='cfrnet_replay',
        description='Play a bag through the real node and write a bag and a report.',
    )
    parser.add_argument('bag', type=Path, help='folder, .mcap or .db3 file')
    parser.add_argument('-o', '--out', type=Path, default=Path('replay'), help='folder to fill')
    parser.add_argument('-t', '--topic', help='of the images, if there are several')
    parser.add_argument('-k', '--cycles', type=int, nargs='+', default=[1, 2, 3])
    parser.add_argument('-r', '--rate', type=float, default=1.0, help='speed of replay')
    parser.add_argument(
        '--views-hz', type=float, default=3.0, help='whole frames a second to record at most'
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
    given = parser.parse_args(args)
    if given.rate <= 0 or given.views_hz <= 0:
        parser.error('--rate and --views-hz must be above 0')
    plan = ReplayPlan(
        bag=given.bag,
        out=given.out,
        topic=given.topic,
        cycles=given.cycles,
        rate=given.rate,
        # With detection in every frame, before and after are cut out alike.
        parameters={'detection_interval': 1, **dict(given.param)},
        params_file=given.params_file,
        views_hz=given.views_hz,
    )
    options = ReportOptions(
        title=f'cfrnet_ros: {given.bag.name}',
        intro=f'{given.bag}, played once for each number of cycles.',
        truth_topic=given.truth_topic,
        label_topic=given.label_topic,
    )
    return guarded(lambda: replay_and_report(plan, given.out / 'report.html', options))


if __name__ == '__main__':
    sys.exit(main())
