"""The README's parameter tables, the params file and the node's descriptors agree."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from cfrnet_ros.node.parameters import SPECS

ROOT = Path(__file__).resolve().parents[2]
ROW = re.compile(
    r'^\| `(?P<name>[^`]+)` \| (?P<type>[^|]+) \| (?P<default>[^|]+) \| (?P<range>[^|]*) \|'
)


def readme_table(heading: str) -> dict[str, tuple[str, str, str]]:
    text = (ROOT / 'README.md').read_text(encoding='utf-8')
    section = text.split(f'\n### {heading}\n', 1)[1].split('\n#', 1)[0]
    rows = [ROW.match(line) for line in section.splitlines()]
    return {
        row['name']: (row['type'].strip(), row['default'].strip(), row['range'].strip())
        for row in rows
        if row is not None
    }


def as_yaml(value: Any) -> str:
    if isinstance(value, tuple):
        value = list(value)
    if isinstance(value, str):
        return f'`{value}`' if value else '`""`'
    return '`' + yaml.safe_dump(value, default_flow_style=True).split('\n')[0] + '`'


@pytest.mark.parametrize(
    ('heading', 'dynamic'), [('Static parameters', False), ('Dynamic parameters', True)]
)
def test_readme_lists_exactly_the_parameters_of_the_node(heading: str, dynamic: bool) -> None:
    expected = {
        spec.name: (spec.type_name, as_yaml(spec.default), spec.range_text)
        for spec in SPECS
        if spec.dynamic == dynamic
    }
    assert readme_table(heading) == expected


def flatten(tree: dict[str, Any], prefix: str = '') -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in tree.items():
        flat |= (
            flatten(value, f'{prefix}{key}.') if isinstance(value, dict) else {prefix + key: value}
        )
    return flat


def test_params_file_holds_the_defaults_under_a_wildcard() -> None:
    tree = yaml.safe_load((ROOT / 'config/dms.yaml').read_text(encoding='utf-8'))
    assert list(tree) == ['/**']
    given = flatten(tree['/**']['ros__parameters'])
    expected = {
        spec.name: list(spec.default) if isinstance(spec.default, tuple) else spec.default
        for spec in SPECS
    }
    assert given == expected
    assert {k: type(v) for k, v in given.items()} == {k: type(v) for k, v in expected.items()}
