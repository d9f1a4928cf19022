"""Arm's Vela, the compiler for the Ethos-U: what it makes of an INT8 TFLite file."""

from __future__ import annotations

import csv
import re
import subprocess
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
        lines = (run.stderr.strip() or run.stdout.strip() or 'nothing was said').splitlines()
        return {'reason': lines[-1][:160]}
    with summaries[0].open(newline='', encoding='utf-8') as stream:
        row = next(csv.DictReader(stream))
    return {
        'ms': round(float(row['inference_time']) * 1e3, 2),
        'sram_kib': round(float(row['sram_memory_used']), 1),
        'cpu_operators': cpu_operators(run.stdout),
    }


def cpu_operators(text: str) -> dict[str, int]:
    """Return how often each operator stays on the CPU, from what Vela prints."""
    counts: dict[str, int] = {}
    for kind in re.findall(r'^CPU operation: (\w+)', text, re.MULTILINE):
        counts[kind] = counts.get(kind, 0) + 1
    # Beside them Vela lists what it refuses before it looks at operations.
    for kind in re.findall(r'^Warning: (\w+) .* is a CPU only op', text, re.MULTILINE):
        counts[kind] = counts.get(kind, 0) + 1
    return counts
