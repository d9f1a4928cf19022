"""The real node in a process of its own."""

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
from cfrnet_ros.replay.errors import NodeDiedError
from cfrnet_ros.replay.ros_session import prepare_environment
from cfrnet_ros.replay.service_call import ServiceTimeoutError, call

#: Option of prctl(2): the signal that a process gets when its parent ends.
_PR_SET_PDEATHSIG = 1
# Looked up here: between fork and exec nothing should be loaded.
_prctl = getattr(ctypes.CDLL(None), 'prctl', None) if sys.platform == 'linux' else None

_LOG_TAIL_LINES = 15
_END_TIMEOUT_S = 10.0


class NodeProcess(AbstractContextManager['NodeProcess']):
    """`restorer`, started as users start it; use it in a `with` statement.

    It gets a session of its own, so that a Ctrl-C in the terminal reaches only us
    and the node is ended in order. Should the thread that starts it end without ending
    the node, because its process is killed for instance, Linux ends the node.
    """

    def __init__(
        self,
        log_file: str | Path,
        parameters: Mapping[str, Any] | None = None,
        remappings: Mapping[str, str] | None = None,
        params_files: Sequence[str | Path] = (),
        name: str = 'cfrnet',
        arguments: Sequence[str] = (),
    ) -> None:
        """Start the process.

        Args:
            log_file: takes what the node prints.
            parameters: values by name, in place of the defaults.
            remappings: new name by old one.
            params_files: YAML files, later ones stronger; `parameters` are stronger still.
            name: of the node.
            arguments: further command line arguments after --ros-args.

        """
        self.name = f'/{name}'
        self.log_file = Path(log_file)
        command = [sys.executable, '-m', 'cfrnet_ros.node.main', '--ros-args']
        command += ['-r', f'__node:={name}']
        for params_file in params_files:
            command += ['--params-file', str(params_file)]
        for key, value in (parameters or {}).items():
            command += ['-p', f'{key}:={to_yaml(value)}']
        for old, new in (remappings or {}).items():
            command += ['-r', f'{old}:={new}']
        command += arguments
        prepare_environment()
        environment = {**os.environ, 'PYTHONUNBUFFERED': '1'}
        # The same cfrnet_ros as ours, installed or not.
        ours = str(Path(cfrnet_ros.__file__).resolve().parent.parent)
        environment['PYTHONPATH'] = os.pathsep.join(
            [ours, *filter(None, [os.environ.get('PYTHONPATH')])]
        )
        self.command = command
        with self.log_file.open('wb') as log:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=environment,
                start_new_session=True,
                preexec_fn=_end_with_parent,
            )

    @property
    def pid(self) -> int:
        """Of the process."""
        return self._process.pid

    @property
    def exit_code(self) -> int | None:
        """None while it runs."""
        return self._process.poll()

    def check(self) -> None:
        """Do nothing while it runs.

        Raises:
            NodeDiedError: it has ended; the text holds the end of its log.

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
            node: our own, spun by another thread.
            timeout_s: in seconds.

        Raises:
            NodeDiedError: it ended, or is not active after the timeout.

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

    def stop(self) -> int:
        """End it as Ctrl-C would, harder if that does not help; return the exit code."""
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

    rcl reads lists of one type only, so a list of integers and decimals gets decimals alone.
    """
    if isinstance(value, list) and {type(member) for member in value} == {int, float}:
        value = [float(member) for member in value]
    text = yaml.safe_dump(value, default_flow_style=True, width=10**6)
    # A scalar is followed by a line with the end of the document.
    return text.strip().removesuffix('...').strip()


def _end_with_parent() -> None:
    """Ask the kernel for a SIGTERM when the parent is gone; runs in the new process."""
    if _prctl is not None:
        _prctl(_PR_SET_PDEATHSIG, int(signal.SIGTERM))
