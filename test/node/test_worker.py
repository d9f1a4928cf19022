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

"""Lanes of the worker: order, newest item, crashes, and the end."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import pytest

from cfrnet_ros.node.mailbox import Mailbox
from cfrnet_ros.node.order import Order
from cfrnet_ros.node.turns import Turns
from cfrnet_ros.node.worker import Worker

#: Longest time in seconds that a test waits.
PATIENCE_S = 30.0


@dataclass
class Recorded:
    """Steps that note what is done with each item, and wait where a test says so.

    Attributes:
        done: Names of the steps with their item, in the order of time.
        gates: Events for which `restore` waits, by item.
        fails: Names of steps that raise, with their item.

    """

    done: list[tuple[str, int]] = field(default_factory=list)
    lanes: dict[int, int] = field(default_factory=dict)
    threads: set[str] = field(default_factory=set)
    gates: dict[int, threading.Event] = field(default_factory=dict)
    fails: set[tuple[str, int]] = field(default_factory=set)
    changed: threading.Condition = field(default_factory=threading.Condition)

    def prepare(self, item: int) -> int:
        self._note('prepare', item)
        return item

    def restore(self, work: int, lane: int) -> None:
        self.lanes[work] = lane
        if work in self.gates:
            assert self.gates[work].wait(PATIENCE_S)
        self._note('restore', work)

    def complete(self, work: int) -> None:
        self._note('complete', work)

    def crashed(self, item: int, error: Exception) -> None:
        self._note(f'crashed: {error}', item)

    def of(self, step: str) -> list[int]:
        return [item for name, item in self.done if name.startswith(step)]

    def wait_for(self, step: str, item: int) -> None:
        with self.changed:
            assert self.changed.wait_for(lambda: item in self.of(step), PATIENCE_S), self.done

    def _note(self, step: str, item: int) -> None:
        with self.changed:
            self.threads.add(threading.current_thread().name)
            self.done.append((step, item))
            self.changed.notify_all()
        if (step, item) in self.fails:
            raise ValueError(step)


@contextmanager
def working(steps: Recorded, lanes: int, turns: Turns | None = None) -> Iterator[Mailbox[int]]:
    mailbox: Mailbox[int] = Mailbox()
    options = {} if turns is None else {'turn': turns.turn}
    worker = Worker(mailbox, steps, 'test', lanes, **options)
    try:
        yield mailbox
    finally:
        mailbox.close()
        for gate in steps.gates.values():
            gate.set()
        for thread in worker.threads:
            thread.join(PATIENCE_S)
        assert not any(thread.is_alive() for thread in worker.threads)
    assert len(worker.threads) == lanes


def test_one_lane_does_all_steps_of_an_item_before_the_next_is_taken() -> None:
    steps = Recorded(gates={1: threading.Event()})
    with working(steps, 1) as mailbox:
        mailbox.put(1)
        steps.wait_for('prepare', 1)
        # The newest item waits in the mailbox, and replaces those before.
        assert mailbox.put(2) is None
        assert mailbox.put(3) == 2
        steps.gates[1].set()
        steps.wait_for('complete', 3)
    assert steps.done == [(name, item) for item in (1, 3) for name in STEPS]
    assert steps.threads == {'test'}


STEPS = ('prepare', 'restore', 'complete')


def test_items_are_completed_in_the_order_in_which_they_were_taken() -> None:
    steps = Recorded(gates={1: threading.Event()})
    with working(steps, 3) as mailbox:
        for item in (1, 2, 3):
            mailbox.put(item)
            steps.wait_for('prepare', item)
        # The second and the third are ready, and wait for the first.
        steps.wait_for('restore', 2)
        steps.wait_for('restore', 3)
        assert steps.of('complete') == []
        steps.gates[1].set()
        steps.wait_for('complete', 3)
    assert steps.of('prepare') == steps.of('complete') == [1, 2, 3]
    assert sorted(steps.lanes.values()) == [0, 1, 2]
    assert steps.threads == {'test', 'test2', 'test3'}


def test_an_item_is_taken_only_when_a_lane_is_free() -> None:
    steps = Recorded(gates={1: threading.Event(), 2: threading.Event()})
    with working(steps, 2) as mailbox:
        for item in (1, 2):
            mailbox.put(item)
            steps.wait_for('prepare', item)
        assert mailbox.put(3) is None
        assert mailbox.put(4) == 3
        # A lane whose item waits for its turn is not free either.
        steps.gates[2].set()
        steps.wait_for('restore', 2)
        assert mailbox.put(5) == 4
        steps.gates[1].set()
        steps.wait_for('complete', 5)
    assert steps.of('complete') == [1, 2, 5]


@pytest.mark.parametrize('step', STEPS)
@pytest.mark.parametrize('lanes', [1, 2])
def test_an_item_that_fails_is_given_up_in_its_turn_and_no_other_is_affected(
    step: str, lanes: int
) -> None:
    steps = Recorded(fails={(step, 2)})
    with working(steps, lanes) as mailbox:
        for item in (1, 2, 3):
            mailbox.put(item)
            steps.wait_for('prepare', item)
        steps.wait_for('complete', 3)
    assert steps.of('crashed') == [2]
    ends = [pair for pair in steps.done if pair[0].startswith(('complete', 'crashed'))]
    attempted = [('complete', 2)] if step == 'complete' else []
    failed = (f'crashed: {step}', 2)
    assert ends == [('complete', 1), *attempted, failed, ('complete', 3)]
    # Later steps of the item are left out.
    assert [name for name, item in steps.done if item == 2][:-1] == [
        name for name in STEPS[: STEPS.index(step) + 1]
    ]


def test_a_failure_beside_another_item_waits_for_it() -> None:
    steps = Recorded(gates={1: threading.Event()}, fails={('restore', 2)})
    with working(steps, 2) as mailbox:
        for item in (1, 2):
            mailbox.put(item)
            steps.wait_for('prepare', item)
        steps.wait_for('restore', 2)
        assert steps.of('crashed') == []
        steps.gates[1].set()
        steps.wait_for('crashed', 2)
    assert steps.done[-2:] == [('complete', 1), ('crashed: restore', 2)]


def test_lanes_of_one_camera_take_turns_with_another_camera() -> None:
    turns = Turns(1)
    steps = Recorded(gates={1: threading.Event()})
    with working(steps, 2, turns) as mailbox:
        mailbox.put(1)
        steps.wait_for('prepare', 1)
        mailbox.put(2)
        # The only turn is taken, so the second lane waits, and the item can be replaced.
        assert mailbox.put(3) == 2
        steps.gates[1].set()
        steps.wait_for('complete', 3)
    assert steps.of('prepare') == [1, 3]


def test_turns_come_in_the_order_of_the_numbers() -> None:
    order = Order()
    numbers = [order.draw() for _ in range(3)]
    assert numbers == [0, 1, 2]
    came: list[int] = []

    def work(number: int) -> None:
        with order.turn(number):
            came.append(number)

    late = [threading.Thread(target=work, args=(number,), daemon=True) for number in (2, 1)]
    for thread in late:
        thread.start()
        thread.join(0.05)
    assert came == []
    with pytest.raises(ValueError, match='broken'), order.turn(0):
        raise ValueError('broken')
    for thread in late:
        thread.join(PATIENCE_S)
    # A turn that ends with an error is over too.
    assert came == [1, 2]
