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

"""Writes figures, and replaces tables in pages of the documentation, between marks."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any


def replace_part(page: Path, name: str, text: str) -> None:
    """Replace the part of a page between `<!-- NAME: begin -->` and `<!-- NAME: end -->`.

    Raises:
        ValueError: The page does not have each mark once.

    """
    begin, end = f'<!-- {name}: begin -->', f'<!-- {name}: end -->'
    content = page.read_text(encoding='utf-8')
    if content.count(begin) != 1 or content.count(end) != 1:
        raise ValueError(f'{page} must have {begin} and {end} once each')
    before, rest = content.split(begin)
    after = rest.split(end)[1]
    page.write_text(f'{before}{begin}\n\n{text.strip()}\n\n{end}{after}', encoding='utf-8')


def write_figures(
    result: Mapping[str, Any], out: Path, text: str, *, kept: Path, page: Path, name: str
) -> None:
    """Write figures as JSON, and print their table; the page shows those that are kept.

    Args:
        result: Figures.
        out: File to write.
        text: Table of the figures as Markdown.
        kept: File of the figures that the page shows; another `out` leaves the page as it is.
        page: Page of the documentation.
        name: Name of the part of the page, see `replace_part`.

    """
    out.write_text(json.dumps(result, indent=1) + '\n', encoding='utf-8')
    if out == kept:
        replace_part(page, name, text)
    print(text)
