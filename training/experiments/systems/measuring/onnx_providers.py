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

"""What ONNX Runtime's providers make of each row's INT8 file: Qualcomm's HTP, and OpenVINO.

Each needs a package in a folder of its own, as `requirements/npu/install.sh` makes it. Each file
has a process of its own:
``python -m training.experiments.systems.measuring.onnx_providers KEY FILE``.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from tqdm import tqdm

from cfrnet_ros.vision.engine.golden import load_golden
from cfrnet_ros.vision.engine.model_card import load_card
from cfrnet_ros.vision.engine.models import FAMILIES, shipped_models
from cfrnet_ros.vision.engine.providers import choose_providers
from cfrnet_ros.vision.errors import ProviderError, VisionError
from cfrnet_ros.vision.restoration.restorer import Restorer
from training.experiments.systems.measuring.npu import ROWS

#: Seconds that loading a file and one pass may take.
LONGEST_S = 1800.0

#: Short name of the CPU's provider, and ONNX Runtime's.
CPU, ONNX_CPU = 'cpu', 'CPUExecutionProvider'


@dataclass(frozen=True)
class Tool:
    """A provider that compiles ONNX files and runs on this machine.

    Attributes:
        provider: Short name of the provider.
        package: Package that holds the provider.
        options: Options of the provider.

    """

    provider: str
    package: str
    options: Mapping[str, str] = field(default_factory=dict)


#: Tools by the key of their answers in `docs/deployability.json`.
TOOLS = {
    'htp': Tool('qnn', 'onnxruntime-qnn'),
    # The device of the kind that this machine has; an NPU's compiler comes with its driver.
    'openvino': Tool('openvino', 'onnxruntime-openvino', {'device_type': 'CPU'}),
}


def trained_files(work: Path, precision: str, names: Sequence[str] = ()) -> dict[str, Path]:
    """Return the files that the step ``measure`` left, by row.

    Args:
        work: Folder of models; files of trained weights count.
        precision: 'fp32' or 'int8'.
        names: Names of rows; none for one row of each network.

    Raises:
        FileNotFoundError: A file is missing.

    """
    files = {name: work / 'trained' / f'{name}_{precision}.onnx' for name in names or ROWS}
    for name, file in files.items():
        if not file.is_file():
            raise FileNotFoundError(f"'{file}' is missing; make it by: measure --rows {name}")
    return files


def measure_provider(key: str, files: Mapping[str, Path], package: Path, out: Path) -> None:
    """Load and run each file on a provider, and add what is found to a JSON file.

    Args:
        key: Key of the tool in `TOOLS`.
        files: INT8 files with cards, by the name of the row. Rows of earlier measurements that are
            not among them stay as they are.
        package: Folder with the tool's package.
        out: Path of `docs/deployability.json`; the tool's key is written.

    Raises:
        FileNotFoundError: The package is missing.

    """
    wanted = TOOLS[key].package
    versions = sorted(package.glob(f'{wanted.replace("-", "_")}-*.dist-info'))
    if not versions:
        raise FileNotFoundError(
            f"'{package}' does not hold the package {wanted}; install it by "
            'requirements/npu/install.sh, or name its folder by --package'
        )
    content: dict[str, Any] = {}
    if out.is_file():
        content = json.loads(out.read_text(encoding='utf-8'))
    found = content.setdefault(key, {'rows': {}})
    found['package'] = versions[0].name.removesuffix('.dist-info').replace('_', '-')
    for name, file in tqdm(files.items(), unit='row'):
        found['rows'][name] = _ask(key, file, package)
        out.write_text(json.dumps(content, indent=1) + '\n', encoding='utf-8')


def _ask(key: str, file: Path, package: Path) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as cache:
        paths = [str(package.resolve()), *filter(None, [os.environ.get('PYTHONPATH')])]
        environment = {
            **os.environ,
            'PYTHONPATH': os.pathsep.join(paths),
            # Files that were compiled before do not tell which operators they consist of.
            'XDG_CACHE_HOME': cache,
        }
        command = [sys.executable, '-m', __name__, key, str(file)]
        try:
            run = subprocess.run(
                command,
                env=environment,
                capture_output=True,
                text=True,
                check=False,
                timeout=LONGEST_S,
            )
        except subprocess.TimeoutExpired:
            return {'reason': f'not finished after {LONGEST_S:.0f} s'}
    lines = run.stdout.strip().splitlines()
    if run.returncode or not lines:
        said = (run.stderr.strip() or f'exit code {run.returncode}').splitlines()
        return {'reason': said[-1][:200]}
    answer: dict[str, Any] = json.loads(lines[-1])
    return answer


def run_on(tool: Tool, file: Path) -> dict[str, Any]:
    """Load a file on a provider and restore one crop.

    Args:
        tool: Provider.
        file: INT8 file with a card, of the size of the shipped models.

    Returns:
        `strict` (whether the node with `strict_provider` takes it), `npu` (number of operators on
        the provider), `cpu` (how often each operator is left to ONNX Runtime's CPU kernels) and
        `to_cpu_db` (PSNR in dB between the outputs of the provider and of those kernels for one
        golden crop; None if they are the same), or a `reason` if no part of it runs on the
        provider.

    """
    name, options = tool.provider, {tool.provider: dict(tool.options)} if tool.options else {}
    try:
        choice, strict = choose_providers(name, strict=True, options=options), True
        restorer = Restorer(file, choice, 1)
    except ProviderError:
        choice, strict = choose_providers(name, options=options), False
        restorer = Restorer(file, choice, 1)
    if restorer.engine.used != name:
        return {'reason': restorer.engine.reason}
    placed = Counter[str]()
    left = Counter[str]()
    for part in restorer.engine.session.get_provider_graph_assignment_info():
        kinds = [node.op_type for node in part.get_nodes()]
        (left if part.ep_name == ONNX_CPU else placed).update(kinds)
    golden = load_golden(load_card(shipped_models()[f'{next(iter(FAMILIES.values()))}_int8']))
    assert golden is not None
    given = restorer.restore(golden.crop, 1).crop
    wanted = Restorer(file, choose_providers(CPU), 1).restore(golden.crop, 1).crop
    same = np.array_equal(given, wanted)
    return {
        'strict': strict,
        'npu': placed.total(),
        'cpu': dict(left.most_common()),
        'to_cpu_db': None if same else round(float(cv2.PSNR(given, wanted)), 1),
    }


def main() -> None:
    """Print the answer for one file as one line of JSON, after what libraries print."""
    tool, file = TOOLS[sys.argv[1]], Path(sys.argv[2])
    try:
        answer = run_on(tool, file)
    except VisionError as error:
        # Where the file lies is no part of the answer.
        answer = {'reason': str(error).replace(f'{file.parent}{os.sep}', '')}
    print('\n' + json.dumps(answer), flush=True)


if __name__ == '__main__':
    main()
