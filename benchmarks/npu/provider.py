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

"""One provider of ONNX Runtime, used as the node uses it: ``python -m benchmarks.npu.provider``.

The model must run without a single operator on the CPU, with its golden crops near the reference.
"""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path
from typing import Any

import onnxruntime as ort

from cfrnet_ros.vision.engine.models import MODEL_DIR, shipped_models
from cfrnet_ros.vision.engine.providers import choose_providers
from cfrnet_ros.vision.errors import VisionError
from cfrnet_ros.vision.restoration.restorer import Restorer
from cfrnet_ros.vision.restoration.self_test import run_self_test


def try_provider(name: str, model: Path, options: dict[str, str]) -> dict[str, Any]:
    """Load a model on a provider alone and restore the golden crops.

    Args:
        name: Short name of the provider.
        model: Path of a shipped model.
        options: Options of the provider.

    Returns:
        Operators on the provider and on the CPU, seconds to load for the first and for the second
        time, PSNR by number of cycles, or the reason of a failure.

    """
    try:
        choice = choose_providers(name, strict=True, options={name: options} if options else {})
        began = time.monotonic()
        restorer = Restorer(model, choice, 1)
        first_s = time.monotonic() - began
        placed = _operators(restorer)
        test = run_self_test(restorer)
        began = time.monotonic()
        Restorer(model, choice, 1)
        second_s = time.monotonic() - began
    except VisionError as error:
        # Where the package lies is no part of the answer.
        return {'reason': str(error).replace(f'{MODEL_DIR}{os.sep}', '')}
    return {
        'operators': placed,
        'load_s': round(first_s, 2),
        'load_again_s': round(second_s, 2),
        'golden': {
            'db': {str(k): round(value, 1) for k, value in test.decibels},
            'limit_db': test.limit_db,
            'passed': not test.failed,
        },
        'host_ms': round(test.cycle_ms, 1),
    }


def _operators(restorer: Restorer) -> dict[str, int]:
    """Count operators by provider; empty if ONNX Runtime cannot tell (before 1.24)."""
    query = getattr(restorer.engine.session, 'get_provider_graph_assignment_info', None)
    if query is None:
        return {}
    counts: dict[str, int] = {}
    for part in query():
        counts[part.ep_name] = counts.get(part.ep_name, 0) + len(part.get_nodes())
    return counts


def main() -> None:
    """Print the answers for the named models as one line of JSON, after what libraries print."""
    name, models, options = sys.argv[1], sys.argv[2].split(','), sys.argv[3:]
    given = dict(option.partition('=')[::2] for option in options)
    answers = {model: try_provider(name, shipped_models()[model], given) for model in models}
    print('\n' + json.dumps({'onnxruntime': ort.__version__, 'models': answers}), flush=True)


if __name__ == '__main__':
    main()
