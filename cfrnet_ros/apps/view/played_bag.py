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

"""A bag that is played in a loop to a node of its own, for trying the page without a camera."""

from __future__ import annotations

import threading
import time
from contextlib import AbstractContextManager
from pathlib import Path

from rclpy.node import Node

from cfrnet_ros.replay.bag_reader import COMPRESSED, BagReader
from cfrnet_ros.replay.errors import ReplayError
from cfrnet_ros.replay.node_process import NodeProcess
from cfrnet_ros.replay.player import Player

#: Longest time in seconds until the node has loaded its models and subscribes.
_START_S = 120.0
#: Time in seconds after which a player that waits looks whether it is to end.
_WAIT_S = 0.5


class Bag:
    """The images of a bag.

    Attributes:
        topic: Topic of the images.
        msgtype: Their type, such as 'sensor_msgs/msg/Image'.

    """

    def __init__(self, path: Path, topic: str | None) -> None:
        """Look into the bag.

        Args:
            path: Folder of the bag, or a .mcap or .db3 file.
            topic: Topic of the images, None for the only one.

        Raises:
            BagError: The bag cannot be read, or the topic has no images, or there are several.

        """
        self._path = path
        with BagReader(path) as bag:
            self.topic = bag.image_topic(topic)
            self.msgtype = bag.topics[self.topic]
            self._pause_s = bag.duration_s / max(1, bag.count(self.topic) - 1)

    def play(self, player: Player, stop: threading.Event) -> None:
        """Send the images at the pace of the recording, again and again, until `stop` is set.

        Raises:
            ReplayError: The bag is damaged.

        """
        while not stop.is_set():
            with BagReader(self._path) as bag:
                for _ in player.play(bag.messages(self.topic), stop=stop):
                    pass
            stop.wait(self._pause_s)


class PlayedBag(AbstractContextManager['PlayedBag']):
    """The node and the player of a bag; to be used in a `with` statement.

    Attributes:
        error: Reason why the bag is not played any more; '' while it is.

    """

    def __init__(self, bag: Bag, node: Node, folder: Path) -> None:
        """Start the node and the player.

        Args:
            bag: Bag to play.
            node: ROS node of this process; must be called in the thread that lives longest, since
                the node ends with it.
            folder: Folder for the node's log.

        """
        self.error = ''
        self._stop = threading.Event()
        self._player = Player(node, bag.topic, bag.msgtype)
        parameters = {'image_transport': 'compressed'} if bag.msgtype == COMPRESSED else {}
        self._process = NodeProcess(
            folder / 'node.log',
            parameters,
            {'image': bag.topic},
            environment={'ROS_LOG_DIR': str(folder)},
        )
        self._thread = threading.Thread(target=self._play, args=(bag,), name='player', daemon=True)
        self._thread.start()

    def check(self) -> None:
        """Look whether the node still runs and the bag is still played.

        Raises:
            ReplayError: They do not; the text says why.

        """
        self._process.check()
        if self.error:
            raise ReplayError(self.error)

    def __exit__(self, *exc: object) -> None:
        """End the player and the node."""
        self._stop.set()
        self._process.stop()
        # It uses the ROS node, which goes next.
        self._thread.join()

    def _play(self, bag: Bag) -> None:
        try:
            if self._subscribed():
                bag.play(self._player, self._stop)
        except ReplayError as error:
            if not self._stop.is_set():
                self.error = str(error)

    def _subscribed(self) -> bool:
        """Wait until the node subscribes; returns False if the end comes before.

        Raises:
            ReplayError: It does not subscribe in time.

        """
        deadline = time.monotonic() + _START_S
        while not self._stop.is_set():
            try:
                self._player.wait_for_subscriber(_WAIT_S)
            except ReplayError:
                if time.monotonic() > deadline:
                    raise
            else:
                return True
        return False
