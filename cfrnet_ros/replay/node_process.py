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

"""Starts the real node in a process of its own."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import yaml
from lifecycle_msgs.msg import State
from lifecycle_msgs.srv import GetState
from rclpy.node import Node

import cfrnet_ros
from cfrnet_ros.replay.dds_environment import prepare_environment
from cfrnet_ros.replay.errors import NodeDiedError
from cfrnet_ros.replay.service_call import ServiceTimeoutError, call

#: Option of prctl(2): the signal that a process gets when its parent ends.
_PR_SET_PDEATHSIG = 1
# Looked up at import: between fork and exec no library should be loaded.
_prctl = getattr(ctypes.CDLL(None), 'prctl', None) if sys.platform == 'linux' else None

_LOG_TAIL_LINES = 15
_END_TIMEOUT_S = 10.0


class NodeProcess(AbstractContextManager['NodeProcess']):
    """Process of `restorer`, started as users start it; to be used in a `with` statement.

    The process gets a session of its own. So a Ctrl-C in the terminal reaches the replay only,
    which then ends the node in an orderly way. If the thread that started the node ends without
    stopping it, for instance because its process is killed, Linux ends the node.
    """

    def __init__(
        self,
        log_file: str | Path,
        parameters: Mapping[str, Any] | None = None,
        remappings: Mapping[str, str] | None = None,
        params_files: Sequence[str | Path] = (),
        name: str = 'cfrnet',
        arguments: Sequence[str] = (),
        folder: str | Path | None = None,
        environment: Mapping[str, str] | None = None,
        program: Sequence[str] = ('cfrnet_ros.node.main',),
    ) -> None:
        """Start the process.

        Args:
            log_file: File that takes what the node prints.
            parameters: Parameter values by name, in place of the defaults.
            remappings: New topic or service name by old one.
            params_files: YAML files. Later files override earlier ones, and `parameters` override
                all of them.
            name: Name of the node. If it is empty, `arguments` or the node's default decide.
            arguments: Further command line arguments after --ros-args.
            folder: Working directory of the process, None for the current one.
            environment: Environment variables in addition to those of this process.
            program: Module that is run, and its words before --ros-args.

        """
        self.name = f'/{name}' if name else '/cfrnet'
        self.log_file = Path(log_file)
        command = [sys.executable, '-m', *program, '--ros-args']
        if name:
            command += ['-r', f'__node:={name}']
        for params_file in params_files:
            command += ['--params-file', str(params_file)]
        for key, value in (parameters or {}).items():
            command += ['-p', f'{key}:={to_yaml(value)}']
        for old, new in (remappings or {}).items():
            command += ['-r', f'{old}:={new}']
        command += arguments
        prepare_environment()
        variables = {**os.environ, 'PYTHONUNBUFFERED': '1', **(environment or {})}
        # The node imports the same cfrnet_ros as this process, installed or not.
        ours = str(Path(cfrnet_ros.__file__).resolve().parent.parent)
        variables['PYTHONPATH'] = os.pathsep.join(
            [ours, *filter(None, [variables.get('PYTHONPATH')])]
        )
        self.command = command
        with self.log_file.open('wb') as log:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd=folder,
                env=variables,
                start_new_session=True,
                preexec_fn=_end_with_parent,
            )

    @property
    def pid(self) -> int:
        """Process id of the node."""
        return self._process.pid

    @property
    def exit_code(self) -> int | None:
        """Exit code of the process, or None while it runs."""
        return self._process.poll()

    def check(self) -> None:
        """Raise an error if the process has ended.

        Raises:
            NodeDiedError: The process has ended; the text holds the end of its log.

        """
        code = self.exit_code
        if code is not None:
            tail = self.log_file.read_text(errors='replace').splitlines()[-_LOG_TAIL_LINES:]
            raise NodeDiedError(
                f'the node ended with exit code {code}. The end of {self.log_file}:\n  '
                + '\n  '.join(tail)
            )

    def wait_until_active(self, node: Node, timeout_s: float = 60.0) -> None:
        """Wait for the lifecycle state 'active'.

        Args:
            node: ROS node of the replay, spun by another thread.
            timeout_s: Timeout in seconds.

        Raises:
            NodeDiedError: The process ended, or the node is not active after the timeout.

        """
        end = time.monotonic() + timeout_s
        label = 'not answering'
        while time.monotonic() < end:
            self.check()
            with contextlib.suppress(ServiceTimeoutError):
                response = call(node, GetState, f'{self.name}/get_state', GetState.Request(), 1.0)
                label = response.current_state.label
                if response.current_state.id == State.PRIMARY_STATE_ACTIVE:
                    return
            time.sleep(0.05)
        raise NodeDiedError(f'the node is {label} after {timeout_s:g} s; see {self.log_file}')

    def send_signal(self, number: int) -> None:
        """Send a signal to the process, if it still runs."""
        self._process.send_signal(number)

    def wait(self, timeout_s: float | None = None) -> int:
        """Wait until the process has ended.

        Args:
            timeout_s: Longest time to wait in seconds, None for no limit.

        Returns:
            The exit code.

        Raises:
            subprocess.TimeoutExpired: The process still runs.

        """
        return self._process.wait(timeout_s)

    def stop(self) -> int:
        """Stop the node as Ctrl-C would, or kill it if that fails; returns the exit code."""
        for how in (signal.SIGINT, signal.SIGTERM, signal.SIGKILL):
            if self._process.poll() is not None:
                break
            self._process.send_signal(how)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(_END_TIMEOUT_S)
        return self._process.wait()

    def __exit__(self, *exc: object) -> None:
        """End the process."""
        self.stop()


def to_yaml(value: Any) -> str:
    """Write a value in flow style, as rcl parses it on the command line.

    rcl reads lists of one type only, so the integers of a list that also has decimals are written
    as decimals.
    """
    if isinstance(value, list) and {type(member) for member in value} == {int, float}:
        value = [float(member) for member in value]
    text = yaml.safe_dump(value, default_flow_style=True, width=10**6)
    # A scalar is followed by a line with the end of the document.
    return text.strip().removesuffix('...').strip()


def _end_with_parent() -> None:
    """Request a SIGTERM from the kernel when the parent ends; runs in the new process."""
    if _prctl is not None:
        _prctl(_PR_SET_PDEATHSIG, int(signal.SIGTERM))
