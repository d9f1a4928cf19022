"""Arm's compiler for the Ethos-U: operators, time and memory as it estimates them."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

from cfrnet_ros.vision.engine.models import FAMILIES
from training.experiments.systems.measuring.vela import TARGETS, compile_for


def measure_ethos(work: Path, vela: Path) -> dict[str, Any]:
    """Compile the INT8 TFLite files for each accelerator.

    Args:
        work: Folder with what `convert` wrote.
        vela: Path of Vela's command.

    Returns:
        Version, and by network and accelerator the milliseconds of a cycle, the SRAM in KiB and
        the operators that are left to the CPU.

    """
    version = subprocess.run([vela, '--version'], capture_output=True, text=True, check=True)
    return {
        'version': version.stdout.strip(),
        'models': {
            family: {
                name: compile_for(config, work / f'{family}_int8.tflite', str(vela))
                for name, config in TARGETS.items()
            }
            for family in FAMILIES.values()
        },
    }
