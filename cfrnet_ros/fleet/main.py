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

"""The command `cfrnet-fleet`."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Sequence
from functools import partial

from tqdm import tqdm

from cfrnet_ros.apps.restore.face_restorer import FaceRestorer
from cfrnet_ros.fleet.arguments import Arguments, parse
from cfrnet_ros.fleet.cluster import ClusterError, connect, run_jobs
from cfrnet_ros.fleet.outcome import JOURNAL, Account
from cfrnet_ros.fleet.plan import Job, make_plan
from cfrnet_ros.fleet.work import restore
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
    jobs = make_plan(given.inputs, given.out)
    if not jobs:
        print('cfrnet-fleet: there is no bag or video in what was named', file=sys.stderr)
        return USAGE
    account = Account()
    code = DONE
    try:
        # What is wrong with the models would be wrong for each recording.
        FaceRestorer(given.options.engine, given.options.settings)
        given.out.mkdir(parents=True, exist_ok=True)
        run(given, jobs, account)
    except (VisionError, ClusterError) as error:
        print(f'cfrnet-fleet: {error}', file=sys.stderr)
        return USAGE
    except OSError as error:
        print(f'cfrnet-fleet: {error}', file=sys.stderr)
        code = SOME_FAILED
    except KeyboardInterrupt:
        code = INTERRUPTED
    if not given.quiet:
        print('\n'.join(account.lines()))
    for line in account.failure_lines():
        print(line, file=sys.stderr)
    if code == INTERRUPTED:
        print('cfrnet-fleet: interrupted; the same command goes on from here', file=sys.stderr)
    elif account.failed:
        code = SOME_FAILED
    return code


def run(given: Arguments, jobs: Sequence[Job], account: Account) -> None:
    """Restore what is not there yet, and keep the account while it goes on.

    Args:
        given: Command line.
        jobs: All recordings.
        account: Account to add to.

    Raises:
        ClusterError: The cluster cannot be reached.
        OSError: The journal cannot be written.

    """
    wanted = []
    for job in jobs:
        if job.target.exists() and not given.overwrite:
            account.skipped += 1
        else:
            wanted.append(job)
    if not wanted:
        return
    if given.overwrite:
        for job in wanted:
            if job.target.is_dir():
                shutil.rmtree(job.target)
    # Without a terminal, a bar would fill a log.
    hidden = True if given.quiet else None
    workers = min(given.workers, len(wanted))
    with (
        connect(given.scheduler, workers) as client,
        tqdm(total=len(wanted), unit='recording', disable=hidden, dynamic_ncols=True) as bar,
    ):
        for outcome in run_jobs(client, wanted, partial(restore, options=given.options)):
            outcome.write(given.out / JOURNAL)
            account.add(outcome)
            bar.set_postfix_str(f'{len(account.failed)} failed', refresh=False)
            bar.update()


if __name__ == '__main__':
    sys.exit(main())
