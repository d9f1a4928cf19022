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

"""Asks every tool that `requirements/npu/install.sh` has installed, and writes docs/npu.md.

``python -m benchmarks.npu`` (``make test-npu``) compiles the shipped models with the compilers and
simulators of NPUs, one after another, each in the environment of its own. A tool that is missing
keeps the answers of the last time. The exit code is 1 if a tool leaves an operator to the CPU, or
gives golden crops beyond the limit of the self-test.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.npu.ethos import measure_ethos
from benchmarks.npu.page import write_page
from benchmarks.npu.verdicts import faults
from cfrnet_ros.vision.engine.models import FAMILIES

NPU = Path('.npu')
WORK = NPU / 'work'
ANSWERS = Path('docs/npu.json')
INT8 = ','.join(f'{family}_int8' for family in FAMILIES.values())


def ask(python: Path, module: str, *words: str, overlay: Path | None = None) -> dict[str, Any]:
    """Run a module of this package and return the JSON of its last line.

    Args:
        python: Interpreter of the environment.
        module: Name of the module within `benchmarks.npu`.
        words: Its arguments.
        overlay: Folder with packages that win over those of the environment.

    Returns:
        Answers, or a `reason` if the module failed.

    """
    paths = [str(overlay)] if overlay is not None else []
    environment = {
        **os.environ,
        'PYTHONPATH': os.pathsep.join([*paths, str(Path.cwd())]),
        'XDG_CACHE_HOME': str((WORK / 'cache').resolve()),
    }
    command = [str(python), '-m', f'benchmarks.npu.{module}', *words]
    run = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    lines = run.stdout.strip().splitlines()
    if run.returncode or not lines:
        said = (run.stderr.strip() or 'nothing was said').splitlines()
        return {'reason': said[-1][:300]}
    found: dict[str, Any] = json.loads(lines[-1])
    return found


def measure(known: dict[str, Any]) -> dict[str, Any]:
    """Ask every tool that is installed; the others keep what is known of them."""
    python = Path(sys.executable)
    found = dict(known)
    WORK.mkdir(parents=True, exist_ok=True)
    # Converted files of other weights must not be taken for these.
    for old in (*WORK.glob('*.onnx'), *WORK.glob('*.tflite'), *WORK.glob('*.rknn')):
        old.unlink()
    if (NPU / 'qnn').is_dir():
        tell('Qualcomm: HTP emulator')
        found['qnn'] = ask(python, 'provider', 'qnn', INT8, overlay=NPU / 'qnn')
    if (NPU / 'openvino').is_dir():
        tell('Intel: OpenVINO')
        for device in ('CPU', 'NPU'):
            words = ('openvino', INT8, f'device_type={device}')
            found[f'openvino_{device}'] = ask(python, 'provider', *words, overlay=NPU / 'openvino')
    if (NPU / 'litert').is_dir():
        tell('Arm: LiteRT and Vela')
        subprocess.run(
            [python, '-m', 'benchmarks.npu.calibration', str(WORK / 'calibration.npy')], check=True
        )
        found['litert'] = ask(NPU / 'litert/bin/python', 'convert', str(WORK))
        if (NPU / 'vela').is_dir() and 'reason' not in found['litert']:
            found['ethos'] = measure_ethos(WORK, NPU / 'vela/bin/vela')
        if (NPU / 'rknn').is_dir() and 'reason' not in found['litert']:
            tell('Rockchip: simulator')
            found['rockchip'] = ask(NPU / 'rknn/bin/python', 'rockchip', str(WORK))
    return found


def tell(text: str) -> None:
    """Print what is being asked."""
    print(text, flush=True)


def main(args: Sequence[str] | None = None) -> int:
    """Ask, write the answers and the page, and print what is wrong."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--page-only', action='store_true', help='write the page anew')
    given = parser.parse_args(args)
    known: dict[str, Any] = json.loads(ANSWERS.read_text()) if ANSWERS.is_file() else {}
    found = known if given.page_only else measure(known)
    ANSWERS.write_text(json.dumps(found, indent=1) + '\n', encoding='utf-8')
    write_page(found)
    wrong = faults(found)
    print('\n'.join(wrong) or 'every operator is on the NPU, and the golden crops are near enough')
    return int(bool(wrong))


if __name__ == '__main__':
    sys.exit(main())
