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

"""A restorer in a process of its own, with its CPU time and memory as Linux accounts them."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cfrnet_ros.node.transport import NODE_PROFILE
from cfrnet_ros.replay.node_process import NodeProcess

_TICKS = os.sysconf('SC_CLK_TCK')


class NodeUnderTest(NodeProcess):
    """The real node, as `restorer` starts it, with images on `/NAME/camera`.

    Images come over UDP, as from a camera driver with default settings.
    """

    def __init__(
        self,
        folder: Path,
        name: str,
        domain: int,
        parameters: Mapping[str, Any],
        environment: Mapping[str, str] | None = None,
    ) -> None:
        """Start the process.

        Args:
            folder: Folder for its log.
            name: Name of the node.
            domain: ROS domain.
            parameters: Parameters in place of the defaults.
            environment: Further environment variables of the process.

        """
        super().__init__(
            folder / f'{name}.log',
            parameters=parameters,
            remappings={'image': f'/{name}/camera'},
            name=name,
            environment={
                'ROS_DOMAIN_ID': str(domain),
                'FASTDDS_DEFAULT_PROFILES_FILE': str(NODE_PROFILE),
                'ROS_LOG_DIR': str(folder),
                **(environment or {}),
            },
        )

    def cpu_s(self) -> float:
        """Return the seconds of CPU time that all threads of the process have used."""
        fields = Path(f'/proc/{self.pid}/stat').read_text().rpartition(')')[2].split()
        # utime and stime, fields 14 and 15 of proc(5); the second field ends with the bracket.
        return (int(fields[11]) + int(fields[12])) / _TICKS

    def resident_mib(self) -> float:
        """Return the resident memory of the process in MiB."""
        lines = Path(f'/proc/{self.pid}/status').read_text().splitlines()
        rss = next(line for line in lines if line.startswith('VmRSS:'))
        return int(rss.split()[1]) / 1024


class CpuMeter:
    """Measures how many cores a node keeps busy, from its creation to `cores`."""

    def __init__(self, node: NodeUnderTest) -> None:
        """Start to measure."""
        self._node = node
        self._start_s, self._cpu_s = time.perf_counter(), node.cpu_s()

    def cores(self) -> float:
        """Return CPU time divided by wall time."""
        spent = self._node.cpu_s() - self._cpu_s
        return spent / (time.perf_counter() - self._start_s)
