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

"""The command `cfrnet-restore`."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence

from cfrnet_ros.apps.restore.arguments import parse
from cfrnet_ros.apps.restore.face_restorer import FaceRestorer
from cfrnet_ros.apps.restore.plan import make_plan
from cfrnet_ros.apps.restore.runner import Runner
from cfrnet_ros.vision.errors import VisionError

#: Exit codes.
DONE, SOME_FAILED, USAGE, INTERRUPTED = 0, 1, 2, 130


def main(args: Sequence[str] | None = None) -> int:
    """Run the command.

    Args:
        args: Command line without the program's name; None for that of `sys.argv`.

    Returns:
        Exit code.

    """
    given = parse(args)
    now = time.strftime('%Y%m%d_%H%M%S')
    jobs = make_plan(given.inputs, given.out, given.suffix, now)
    if not jobs:
        print('cfrnet-restore: there is no picture or video in what was named', file=sys.stderr)
        return USAGE
    runner = Runner(
        given, lambda: FaceRestorer(given.engine, given.picture_settings(), given.rotation)
    )
    code = DONE
    try:
        runner.run(jobs)
    except VisionError as error:
        print(f'cfrnet-restore: {error}', file=sys.stderr)
        return USAGE
    except KeyboardInterrupt:
        code = INTERRUPTED
    summary = runner.summary
    if not given.quiet:
        print('\n'.join(summary.lines()))
        if summary.written:
            print(f'results: {given.out}')
    for line in summary.failure_lines():
        print(line, file=sys.stderr)
    if code == INTERRUPTED:
        print('cfrnet-restore: interrupted; the same command goes on from here', file=sys.stderr)
    elif summary.failures:
        code = SOME_FAILED
    return code


if __name__ == '__main__':
    sys.exit(main())
