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

"""Arm's Vela, the compiler for the Ethos-U: what it makes of an INT8 TFLite file."""

from __future__ import annotations

import csv
import re
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

#: Accelerators by the names of the table.
TARGETS = {
    'U55-256': 'ethos-u55-256',
    'U65-512': 'ethos-u65-512',
    'U85-512': 'ethos-u85-512',
}


def compile_for(config: str, file: Path, command: str) -> dict[str, Any]:
    """Compile a file for one accelerator.

    Args:
        config: Name of the accelerator, as Vela takes it.
        file: INT8 TFLite file.
        command: Vela's command.

    Returns:
        `ms` a pass on the NPU, `sram_kib` and `cpu_operators` (how often each), or a `reason`.

    """
    out = file.parent / f'{file.stem}_{config}'
    run = subprocess.run(
        [
            command,
            str(file),
            *('--accelerator-config', config),
            *('--output-dir', str(out)),
            '--show-cpu-operations',
        ],
        capture_output=True,
        text=True,
        check=False,
        timeout=900,
    )
    summaries = sorted(out.glob('*_summary_*.csv'))
    if run.returncode or not summaries:
        return {'reason': refusal(run.stderr.strip() or run.stdout.strip())}
    with summaries[0].open(newline='', encoding='utf-8') as stream:
        row = next(csv.DictReader(stream))
    return {
        'ms': round(float(row['inference_time']) * 1e3, 2),
        'sram_kib': round(float(row['sram_memory_used']), 1),
        'cpu_operators': cpu_operators(run.stdout, operator_kinds(file)),
    }


def refusal(text: str) -> str:
    """Return why Vela refused a file, from what it printed.

    The last line says that the file cannot be parsed, whatever the reason; that stands before, in
    a line with ``Error:`` and indented ones.
    """
    lines = text.splitlines() or ['nothing was said']
    causes = [line.split('Error:')[-1].strip() for line in lines if 'Error:' in line]
    details = [line.strip().removeprefix('- ') for line in lines if line.startswith(' - ')]
    return '; '.join([*(cause[:100] for cause in causes[-1:]), *details])[:240] or lines[-1][:160]


def choose_among_levels(file: Path) -> None:
    """Let what looks for a largest or smallest value take 8-bit levels, in a TFLite file.

    ai-edge-quantizer 0.10 leaves ARG_MAX and ARG_MIN in float behind a DEQUANTIZE, and Vela refuses
    a file with such an ARG_MAX whole. The largest level is that of the largest value.

    Args:
        file: TFLite file, written anew if it has such an operator.

    """
    from ai_edge_litert import schema_py_generated as schema
    from ai_edge_litert.tools import flatbuffer_utils

    model = flatbuffer_utils.read_model(str(file))
    kinds = [max(c.builtinCode, c.deprecatedBuiltinCode) for c in model.operatorCodes]
    choosing = (schema.BuiltinOperator.ARG_MAX, schema.BuiltinOperator.ARG_MIN)
    changed = False
    for graph in model.subgraphs:
        levels = {
            int(operator.outputs[0]): int(operator.inputs[0])
            for operator in graph.operators
            if kinds[operator.opcodeIndex] == schema.BuiltinOperator.DEQUANTIZE
        }
        for operator in graph.operators:
            if kinds[operator.opcodeIndex] in choosing and operator.inputs[0] in levels:
                inputs = operator.inputs.copy()
                inputs[0] = levels[int(inputs[0])]
                operator.inputs, changed = inputs, True
        read = {int(i) for o in graph.operators for i in o.inputs} | {*map(int, graph.outputs)}
        graph.operators = [
            operator
            for operator in graph.operators
            if int(operator.outputs[0]) not in levels or int(operator.outputs[0]) in read
        ]
    if changed:
        flatbuffer_utils.write_model(model, str(file))


def cpu_operators(text: str, kinds: Mapping[str, str] | None = None) -> dict[str, int]:
    """Return how often each operator stays on the CPU, from what Vela prints.

    Args:
        text: What Vela printed with ``--show-cpu-operations``: a line such as
            ``   CPU: Passthrough = NAME (outputs [1, 256, 256, 3])`` for each, where the name is
            that of the operator's output, and the kind is Vela's own.
        kinds: Kind of the operator by the name of its output, as `operator_kinds` returns it.

    Raises:
        ValueError: Vela counts more or fewer operators than it names, so its output is of another
            version than the one that is read here.

    """
    counts: dict[str, int] = {}
    for kind, name in re.findall(r'^\s+CPU: (\w+) = (.*) \(outputs ', text, re.MULTILINE):
        known = (kinds or {}).get(name, kind)
        counts[known] = counts.get(known, 0) + 1
    told = re.search(r'^CPU operators = (\d+)', text, re.MULTILINE)
    if told is None or int(told[1]) != sum(counts.values()):
        raise ValueError(
            f'Vela counts {told[1] if told else "no"} CPU operators and names '
            f'{sum(counts.values())}: read its output anew'
        )
    return counts


def operator_kinds(file: Path) -> dict[str, str]:
    """Return the kind of each operator of a TFLite file by the name of its output.

    Args:
        file: TFLite file.

    """
    # Vela calls what it leaves alone 'Passthrough'; the file knows what it is.
    from ai_edge_litert import schema_py_generated as schema

    names = {v: k for k, v in vars(schema.BuiltinOperator).items() if isinstance(v, int)}
    model = schema.ModelT.InitFromObj(schema.Model.GetRootAs(file.read_bytes()))
    # Kinds above 126 do not fit into the older of the two fields.
    codes = [max(c.builtinCode, c.deprecatedBuiltinCode) for c in model.operatorCodes]
    return {
        graph.tensors[output].name.decode(): names[codes[operator.opcodeIndex]]
        for graph in model.subgraphs
        for operator in graph.operators
        for output in operator.outputs
    }
