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

"""The memory of a node."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from node_harness import NodeProcess, Peer, wait_until
from ros_domains import next_domain


def test_a_cleanup_returns_the_memory_of_the_models(tmp_path: Path) -> None:
    domain = next_domain()
    process = NodeProcess(tmp_path, domain, ['-p', 'autostart:=false'])
    peer = Peer(domain)

    def resident_pages() -> int:
        return int(Path(f'/proc/{process.pid}/statm').read_text().split()[1])

    def falls_below(pages: float) -> bool:
        return resident_pages() < pages

    try:
        assert peer.state() == 'unconfigured'
        before = resident_pages()
        for _ in range(2):
            assert peer.transition('configure')
            most = before + 0.6 * (resident_pages() - before)
            assert peer.transition('cleanup')
            # What stays are libraries, which are loaded once.
            wait_until(partial(falls_below, most), 'less memory after the cleanup', 10.0)
        assert process.end() == 0
    finally:
        peer.close()
        process.kill()
