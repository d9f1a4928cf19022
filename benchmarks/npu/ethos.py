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
