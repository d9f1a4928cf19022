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

"""Turns of several cameras: as many at once as allowed, in order, also beside one that hangs."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import pytest

from cfrnet_ros.node.turns import Turns


def run(*targets: Callable[[], None]) -> None:
    threads = [threading.Thread(target=target, daemon=True) for target in targets]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
        assert not thread.is_alive()


def test_no_camera_gets_a_second_turn_while_another_one_waits() -> None:
    turns, order = Turns(1), list[str]()
    ready = threading.Barrier(3)

    def camera(name: str) -> Callable[[], None]:
        def work() -> None:
            ready.wait()
            for _ in range(10):
                with turns.turn():
                    order.append(name)
                    time.sleep(0.01)

        return work

    run(camera('a'), camera('b'), camera('c'))
    # Until the first one has finished its ten turns, any three in a row are of three cameras.
    middle = order[3:24]
    assert all(len({*middle[i : i + 3]}) == 3 for i in range(len(middle) - 2)), order


def test_only_as_many_turns_as_allowed_are_taken_at_once() -> None:
    turns, lock = Turns(2), threading.Lock()
    now = most = 0

    def work() -> None:
        nonlocal now, most
        for _ in range(5):
            with turns.turn():
                with lock:
                    now += 1
                    most = max(most, now)
                time.sleep(0.005)
                with lock:
                    now -= 1

    run(*[work] * 5)
    assert most == 2


def test_a_turn_that_raises_ends() -> None:
    turns = Turns(1)
    with pytest.raises(KeyError), turns.turn():
        raise KeyError
    with turns.turn():
        pass


def test_a_turn_that_does_not_end_stops_counting() -> None:
    turns, hangs = Turns(1, patience_s=0.2), threading.Event()
    began, go_on = threading.Event(), threading.Event()

    def hang() -> None:
        with turns.turn():
            began.set()
            hangs.set()
            go_on.wait(30)

    thread = threading.Thread(target=hang, daemon=True)
    thread.start()
    assert began.wait(30)
    with turns.turn():
        assert not go_on.is_set()
    go_on.set()
    thread.join(30)
    # The one that hung has ended; its turn is not missing from the count afterwards.
    with turns.turn():
        assert turns._taken() == 1


def test_no_turn_at_all_is_refused() -> None:
    with pytest.raises(ValueError, match='at_once must be 1 or above'):
        Turns(0)
