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

"""Take new figures over into the model cards, and into the page made of them.

``python -m training.tools.card_figures --results docs/results.json``; `make evaluate` does the
same.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from training.export.card import write_metrics
from training.export.cards_page import write_page


def main() -> None:
    """Take the evaluation's figures over into all cards of a folder."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--results', type=Path, default=Path('docs/results.json'))
    parser.add_argument('--models', type=Path, default=Path('cfrnet_ros/models'))
    args = parser.parse_args()
    results = json.loads(args.results.read_text(encoding='utf-8'))
    for path in sorted(args.models.glob('*.onnx')):
        write_metrics(path.with_suffix('.json'), results)
    print(write_page(args.models))


if __name__ == '__main__':
    main()
