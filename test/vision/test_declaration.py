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

"""Parameters that are declared as fields: reading them, and refusing wrong ones."""

from __future__ import annotations

from array import array
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from cfrnet_ros.vision.declaration import convert_fields, declarations, parameter
from cfrnet_ros.vision.settings import PipelineSettings


@dataclass(frozen=True)
class Sample:
    count: int = parameter(4, 'How many.', dynamic=True, low=0, high=8, step=2)
    share: float = parameter(0.5, 'How much.', low=-1, high=2.5, unit='dB')
    word: str = parameter('off', 'Which.', choices=('off', 'on', 'auto'))
    path: str = parameter('', 'Where.')
    flag: bool = parameter(True, 'Whether.')
    points: tuple[float, ...] = parameter((0.0,), 'Where else.')
    names: tuple[str, ...] = parameter(('',), 'Who.')
    group_size: int = parameter(1, 'How large.', low=1, high=9, unit='px', level='group')

    def __post_init__(self) -> None:
        convert_fields(self)


def test_names_types_and_ranges_are_read_from_the_fields() -> None:
    found = declarations(Sample)
    assert list(found) == [
        'count', 'share', 'word', 'path', 'flag', 'points', 'names', 'group.size',
    ]  # fmt: skip
    assert [declared.type_name for declared in found.values()] == [
        'integer', 'double', 'string', 'string', 'bool', 'list of doubles', 'list of strings',
        'integer',
    ]  # fmt: skip
    assert [declared.range_text for declared in found.values()] == [
        '0 to 8 in steps of 2', '-1 to 2.5 dB', "'off' or 'on' or 'auto'", '', '', '', '',
        '1 to 9 px',
    ]  # fmt: skip
    assert [name for name, declared in found.items() if declared.dynamic] == ['count']
    assert found['group.size'].field == 'group_size'


@pytest.mark.parametrize(
    ('given', 'kept'),
    [
        ({'count': 6.0}, 6),
        ({'count': np.int64(2)}, 2),
        ({'share': 1}, 1.0),
        ({'share': np.float32(0.25)}, 0.25),
        # YAML reads these words as booleans if they are typed without quotes.
        ({'word': False}, 'off'),
        ({'word': True}, 'on'),
        ({'points': [1, 2.5]}, (1.0, 2.5)),
        ({'points': array('d', [3.0])}, (3.0,)),
        ({'names': []}, ()),
    ],
)
def test_values_get_the_declared_type_where_nothing_is_lost(
    given: dict[str, Any], kept: object
) -> None:
    value = getattr(Sample(**given), *given)
    assert value == kept
    assert type(value) is type(kept)
    hash(Sample(**given))


@pytest.mark.parametrize(
    ('given', 'text'),
    [
        ({'count': 3}, 'count must be integer, 0 to 8 in steps of 2; got 3'),
        ({'count': True}, r'got True \(bool\)'),
        ({'count': 2.5}, r'got 2.5 \(double\)'),
        ({'share': float('nan')}, 'share must be double, -1 to 2.5 dB; got nan'),
        ({'share': '1'}, r"got '1' \(string\)"),
        ({'word': 'no'}, "word must be string, 'off' or 'on' or 'auto'; got 'no'"),
        ({'path': False}, r'path must be string; got False \(bool\)'),
        ({'flag': 'true'}, 'flag must be bool'),
        ({'points': ['a']}, 'points must be list of doubles'),
        ({'names': 'a'}, 'names must be list of strings'),
        ({'group_size': 0}, 'group.size must be integer, 1 to 9 px; got 0'),
        ({'count': 9, 'share': 3}, 'count must .*; share must '),
    ],
)
def test_other_values_are_refused_by_name_with_what_was_expected(
    given: dict[str, Any], text: str
) -> None:
    with pytest.raises(ValueError, match=text):
        Sample(**given)


@pytest.mark.parametrize(
    ('facts', 'text'),
    [
        ({'default': 9, 'low': 0, 'high': 8}, 'the default is not allowed: .* got 9'),
        ({'default': 1, 'low': 0}, 'a range needs both low and high'),
        ({'default': 1, 'description': 'No sentence'}, 'end with a full stop'),
        ({'default': 1, 'level': 'other'}, "the name must begin with 'other'_"),
    ],
)
def test_a_wrong_declaration_names_the_field(facts: dict[str, Any], text: str) -> None:
    given = {'description': 'Something.', **facts}

    @dataclass(frozen=True)
    class Wrong:
        size: int = parameter(**given)

    with pytest.raises(TypeError, match=f"'size' is declared wrongly: .*{text}"):
        declarations(Wrong)


def test_the_error_for_a_plain_field_says_how_to_declare_it() -> None:
    @dataclass(frozen=True)
    class Plain:
        size: int = 3

    with pytest.raises(
        TypeError, match=r"'size' of Plain is not a parameter: declare it with parameter\("
    ):
        declarations(Plain)


def test_lists_make_settings_that_are_equal_and_hashable() -> None:
    region: Any = [0, 0.5, 1, 1]
    settings = PipelineSettings(roi=region)
    assert settings == PipelineSettings(roi=(0.0, 0.5, 1.0, 1.0))
    assert hash(settings) == hash(PipelineSettings(roi=(0.0, 0.5, 1.0, 1.0)))
