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

"""Disks that are full and folders that cannot be written end a replay with a message."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest
from replays import ROOT
from ros_domains import next_domain

from demo.bag_frames import IMAGE_TOPIC

#: Largest file in bytes that a replay may write in the test of a full disk: the node's log fits.
LIMIT = 400_000


def replay(bag: Path, out: Path, *arguments: str, limit: int | None = None) -> tuple[int, str]:
    """Run the command; return its exit code and what it wrote to stderr.

    Args:
        bag: Bag to play.
        out: Folder for the results.
        arguments: Further arguments of `cfrnet-replay`.
        limit: Size in bytes at which writing to a file fails, as it does on a full disk.

    """

    def allow_small_files_only() -> None:
        if limit is not None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

    common = ['--topic', IMAGE_TOPIC, '--cycles', '1', '--out', str(out)]
    done = subprocess.run(
        [sys.executable, '-m', 'cfrnet_ros.replay', str(bag), *common, *arguments],
        cwd=ROOT,
        env={**os.environ, 'ROS_DOMAIN_ID': str(next_domain())},
        capture_output=True,
        text=True,
        timeout=300,
        preexec_fn=allow_small_files_only,
    )
    return done.returncode, done.stderr


def nodes_of(out: Path) -> list[str]:
    """Return the command lines of processes that mention a folder."""
    found = []
    for process in Path('/proc').glob('[0-9]*/cmdline'):
        try:
            command = process.read_bytes().replace(b'\0', b' ').decode(errors='replace')
        except OSError:
            continue
        if str(out) in command:
            found.append(command)
    return found


@pytest.mark.parametrize('how', ['--deterministic', '--rate=1'])
def test_a_full_disk_ends_the_replay_with_a_message_and_leaves_no_node(
    camera_bag: Path, tmp_path: Path, how: str
) -> None:
    out = tmp_path / 'out'
    code, text = replay(camera_bag, out, how, limit=LIMIT)
    assert code == 1, text
    assert 'error: ' in text
    assert 'File too large' in text
    assert 'free some space or choose another --out' in text
    assert 'Traceback' not in text
    assert not nodes_of(out)


def test_a_folder_that_cannot_be_written_is_named(camera_bag: Path, tmp_path: Path) -> None:
    (tmp_path / 'file').write_text('no folder')
    read_only = tmp_path / 'read_only'
    read_only.mkdir(mode=0o555)
    # Root may write everywhere, except into the kernel's own file systems.
    locked = Path('/proc/self') if os.geteuid() == 0 else read_only
    for out in (tmp_path / 'file' / 'out', locked / 'out'):
        code, text = replay(camera_bag, out)
        assert code == 1, text
        assert f"error: cannot write to '{out}'" in text
        assert 'Traceback' not in text
