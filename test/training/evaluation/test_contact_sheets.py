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

"""Contact sheets of chosen faces."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip('torch', reason='training needs PyTorch: make test-training')

from training.evaluation.contact_sheet import contact_sheet, side_by_side  # noqa: E402
from training.evaluation.meters import Readings  # noqa: E402
from training.evaluation.sheets import ranked  # noqa: E402


def test_the_worst_the_median_and_the_best_are_shown() -> None:
    crowd = [Readings(n, f'{n}.png', {'2': {'lpips': 0.01 * n}}) for n in range(100)]
    chosen = ranked(crowd, '2')
    assert chosen['worst'] == list(range(99, 91, -1))
    assert chosen['best'] == list(range(7, -1, -1))
    assert len(chosen['median']) == 8
    assert np.mean(chosen['median']) == pytest.approx(49.5)
    assert sum(map(len, ranked(crowd[:7], '2').values())) == 6


def test_a_sheet_has_room_for_titles_and_captions() -> None:
    red = np.full((20, 20, 3), (0, 0, 255), np.uint8)
    plain = contact_sheet([[red, red]] * 3, ['a', 'b'], tile=64)
    told = contact_sheet([[red, red]] * 3, ['a', 'b'], tile=64, captions=['x', 'y', 'z'])
    assert plain.shape[1] == told.shape[1] == 128
    assert (plain[-64:] == red[0, 0]).all()
    band = (len(told) - len(plain)) // 3
    assert (told[band : 2 * band, :20] < 128).any()
    both = side_by_side([plain, told], gap=10)
    assert both.shape == (len(told), 128 + 10 + 128, 3)
    assert (both[-1, :128] == 255).all()
    with pytest.raises(ValueError, match='captions'):
        contact_sheet([[red, red]], ['a', 'b'], captions=['x', 'y'])
    with pytest.raises(ValueError, match='pictures'):
        contact_sheet([[red]], ['a', 'b'])
