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

"""The layouts of Foxglove and RViz name only what the node sends."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import yaml
from diagnostic_msgs.msg import DiagnosticArray
from rclpy.serialization import deserialize_message
from replays import Played

from cfrnet_ros.replay.bag_reader import BagReader
from cfrnet_ros.replay.plan import DIAGNOSTICS_TOPIC, FRAME_STATUS_TOPIC
from demo.bag_frames import FRAME_ID, IMAGE_TOPIC

GetPlayed = Callable[[str], Played]
DOCS = Path(__file__).resolve().parents[2] / 'docs'
FOXGLOVE = DOCS / 'foxglove/cfrnet.json'
RVIZ = DOCS / 'rviz/cfrnet.rviz'


def strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for each in value.values():
            yield from strings(each)
    elif isinstance(value, list):
        for each in value:
            yield from strings(each)


def sent(done: Played) -> dict[str, str]:
    """Return the types of the topics that exist while the node runs, by name."""
    found = {IMAGE_TOPIC: 'sensor_msgs/msg/Image'}
    for folder in (done.log.plan.recording, done.log.plan.measurements):
        with BagReader(folder) as bag:
            found |= {name: kind for name, kind in bag.topics.items() if bag.count(name)}
    return found


def keys(done: Played, topic: str) -> set[tuple[str, str]]:
    """Return status and key of every value that was sent on a topic."""
    with BagReader(done.log.plan.measurements) as bag:
        return {
            (status.name, value.key)
            for message in bag.messages(topic)
            for status in deserialize_message(message.data, DiagnosticArray).status
            for value in status.values
        }


def test_every_topic_and_value_of_the_foxglove_layout_exists(played: GetPlayed) -> None:
    done = played('two_people')
    layout = json.loads(FOXGLOVE.read_text())
    topics = sent(done)
    panels = layout['configById']
    images = [p['imageMode']['imageTopic'] for n, p in panels.items() if n.startswith('Image!')]
    assert len(images) == 4
    assert {topics[topic] for topic in images} == {'sensor_msgs/msg/Image'}
    shown = [p['topicToRender'] for p in panels.values() if 'topicToRender' in p]
    assert shown == [DIAGNOSTICS_TOPIC] * 2
    pattern = re.compile(
        r'(?P<topic>/[a-z_/]+)\.status\[:\]\{name=="(?P<name>[^"]+)"\}\.'
        r'(level|values\[:\]\{key=="(?P<key>[^"]+)"\}\.value)'
    )
    known = {topic: keys(done, topic) for topic in (DIAGNOSTICS_TOPIC, FRAME_STATUS_TOPIC)}
    paths = [path['value'] for panel in panels.values() for path in panel.get('paths', [])]
    assert len(paths) > 10
    for path in paths:
        match = pattern.fullmatch(path)
        assert match is not None, path
        names = {name for name, _ in known[match['topic']]}
        assert match['name'] in names, path
        # The bag was played with only two cycles.
        key = (match['key'] or '').replace('cycle_3', 'cycle_2')
        assert not key or (match['name'], key) in known[match['topic']], path


def test_the_foxglove_layout_is_consistent() -> None:
    layout = json.loads(FOXGLOVE.read_text())
    assert set(layout) >= {'configById', 'globalVariables', 'userNodes', 'layout'}
    placed: list[str] = []

    def walk(node: Any) -> None:
        if isinstance(node, str):
            placed.append(node)
            return
        assert node['direction'] in ('row', 'column')
        assert 0 < node['splitPercentage'] < 100
        walk(node['first'])
        walk(node['second'])

    walk(layout['layout'])
    assert sorted(placed) == sorted(layout['configById'])
    assert all(re.fullmatch(r'[A-Za-z]+![a-z0-9]+', panel) for panel in placed)


def test_every_topic_of_the_rviz_config_exists(played: GetPlayed) -> None:
    manager = yaml.safe_load(RVIZ.read_text())['Visualization Manager']
    topics = sent(played('two_people'))
    shown = [d for d in manager['Displays'] if d['Class'] == 'rviz_default_plugins/Image']
    assert len(shown) == 4
    for display in shown:
        assert topics[display['Topic']['Value']] == 'sensor_msgs/msg/Image'
        # A reliable subscription gets nothing from a camera that offers best effort.
        camera = display['Topic']['Value'] == IMAGE_TOPIC
        policy = display['Topic']['Reliability Policy']
        assert policy == ('Best Effort' if camera else 'Reliable')
    assert manager['Global Options']['Fixed Frame'] == FRAME_ID


def test_the_layouts_contain_no_unknown_topics(played: GetPlayed) -> None:
    topics = set(sent(played('two_people')))
    for text in strings(json.loads(FOXGLOVE.read_text())):
        if text.startswith('/'):
            assert text.partition('.')[0] in topics, text
