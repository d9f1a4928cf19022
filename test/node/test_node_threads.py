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

"""The number of threads that a node measures when it is configured."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from node_harness import NodeProcess, Peer, values_of
from ros_domains import next_domain


@pytest.mark.parametrize(('asked', 'lanes'), [(0, 1), (1, 1), (0, 2)])
def test_threads_are_measured_unless_the_parameter_names_them(
    tmp_path: Path, halving_model: Path, asked: int, lanes: int
) -> None:
    domain = next_domain()
    arguments = ['-p', f'model:={halving_model}', '-p', f'threads:={asked}']
    arguments += ['-p', f'parallel_frames:={lanes}']
    process = NodeProcess(tmp_path, domain, arguments)
    peer = Peer(domain)
    try:
        found = peer.wait_for_diagnostics(
            lambda d: 'engine' in d and 'threads/used' in values_of(d['engine']), 'threads'
        )
        values = values_of(found['engine'])
        assert values['threads'] == str(asked)
        assert values['parallel_frames'] == str(lanes)
        cores = len(os.sched_getaffinity(0))
        if asked:
            assert values['threads/used'] == str(asked)
            assert values['threads/reason'] == 'set by the parameter'
        else:
            assert 1 <= int(values['threads/used']) <= max(1, cores // lanes)
            alone = 'there is one core for each or less' if lanes > 1 else 'may use one core'
            measured = 'measured at configure'
            assert (measured if cores // lanes > 1 else alone) in values['threads/reason']
        process.wait_for_log(f'threads: {values["threads/used"]} ({values["threads/reason"]})')
        assert process.end() == 0
    finally:
        peer.close()
        process.kill()
