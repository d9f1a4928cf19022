"""Fuzz tests need hypothesis; `make fuzz` asks for a file with the numbers of inputs."""

from __future__ import annotations

import datetime
import importlib.util
import json
import os
import platform
from pathlib import Path

import pytest

# Without hypothesis this folder is left out, as on a build farm that lacks it.
collect_ignore_glob = [] if importlib.util.find_spec('hypothesis') else ['test_*.py']


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """Write how many inputs were tried to the file that `FUZZ_RESULT` names."""
    if 'FUZZ_RESULT' not in os.environ:
        return
    from fuzzing import seconds, tried

    result = {
        'made': datetime.date.today().isoformat(),
        'python': platform.python_version(),
        'inputs': sum(tried.values()),
        'failed_targets': session.testsfailed,
        'targets': {
            name: {'inputs': number, 'seconds': round(seconds[name], 1)}
            for name, number in sorted(tried.items())
        },
    }
    Path(os.environ['FUZZ_RESULT']).write_text(json.dumps(result, indent=1) + '\n')
