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

"""Sessions that pipelines share: loaded once, freed with the last user, safe for threads."""

from __future__ import annotations

import gc
import os
import threading
from pathlib import Path

import numpy as np
import pytest
from onnx_models import scale_model

from cfrnet_ros.vision.engine.models import resolve_model
from cfrnet_ros.vision.engine.providers import choose_providers
from cfrnet_ros.vision.engine.session_pool import SessionPool
from cfrnet_ros.vision.engine.sessions import create_session
from cfrnet_ros.vision.errors import ModelError
from cfrnet_ros.vision.restoration.restorer import Restorer


def test_a_model_is_loaded_once_and_freed_with_its_last_user(tmp_path: Path) -> None:
    path = tmp_path / 'model.onnx'
    scale_model(path, 2.0)
    pool = SessionPool()
    choice = choose_providers('cpu', pool=pool)
    first, second = create_session(path, choice, 1), create_session(path, choice, 1)
    assert first is second
    assert create_session(path, choice, 2) is not first
    assert create_session(path.read_bytes(), choice, 1) is not first
    del first
    gc.collect()
    assert len(pool) == 1
    del second
    gc.collect()
    assert len(pool) == 0


def test_a_file_that_was_replaced_is_loaded_again(tmp_path: Path) -> None:
    path = tmp_path / 'model.onnx'
    scale_model(path, 2.0)
    choice = choose_providers('cpu', pool=SessionPool())
    before = create_session(path, choice)
    scale_model(path, 3.0)
    os.utime(path, ns=(1, 1))
    assert create_session(path, choice) is not before


def test_a_model_that_could_not_be_loaded_is_tried_again(tmp_path: Path) -> None:
    path = tmp_path / 'model.onnx'
    choice = choose_providers('cpu', pool=SessionPool())
    with pytest.raises(ModelError):
        create_session(path, choice)
    scale_model(path, 2.0)
    assert create_session(path, choice).used == 'cpu'


def test_two_threads_that_share_a_session_restore_what_one_alone_restores() -> None:
    model = resolve_model('int8')
    rng = np.random.default_rng(3)
    crops = rng.integers(0, 256, (2, 256, 256, 3), np.uint8)
    alone = [Restorer(model, choose_providers('cpu'), 1).restore(crop, 2).crop for crop in crops]
    choice = choose_providers('cpu', pool=SessionPool())
    restorers = [Restorer(model, choice, 1) for _ in crops]
    assert restorers[0].engine.session is restorers[1].engine.session
    same: list[bool] = []

    def work(index: int) -> None:
        for _ in range(4):
            found = restorers[index].restore(crops[index], 2).crop
            same.append(bool(np.array_equal(found, alone[index])))

    threads = [threading.Thread(target=work, args=(index,)) for index in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert same == [True] * 8


def test_interrupting_one_user_does_not_interrupt_the_other() -> None:
    choice = choose_providers('cpu', pool=SessionPool())
    first, second = (Restorer(resolve_model('int8'), choice, 1) for _ in range(2))
    first.interrupt()
    crop = np.full((256, 256, 3), 90, np.uint8)
    with pytest.raises(ModelError):
        first.restore(crop, 1)
    assert second.restore(crop, 1).cycles == 1
