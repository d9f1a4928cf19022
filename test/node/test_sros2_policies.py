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

"""The SROS2 policies allow what the running node has in the ROS graph, and nothing else."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree

import pytest
from node_harness import ROOT, NodeProcess, Peer, wait_until
from ros_domains import next_domain

#: Kinds of permissions, by the attributes of the policy.
SUBSCRIBE, PUBLISH, REPLY, REQUEST = (
    ('topics', 'subscribe'),
    ('topics', 'publish'),
    ('services', 'reply'),
    ('services', 'request'),
)
#: What the node has where a package is installed that the Python package index does not have; the
#: bond also needs `bond: on` or `autostart: false`.
OPTIONAL = {'/bond', '/cfrnet/detections'}


def allowed(policy: Path) -> dict[tuple[str, str], set[str]]:
    """Read the full names that a policy allows, by kind; nothing may be denied or included."""
    profiles = list(ElementTree.parse(policy).getroot().iter('profile'))
    assert len(profiles) == 1
    profile = profiles[0]
    space, node = profile.get('ns', ''), profile.get('node', '')
    assert (space, node) == ('/', 'cfrnet')
    found: dict[tuple[str, str], set[str]] = {
        kind: set() for kind in (SUBSCRIBE, PUBLISH, REPLY, REQUEST)
    }
    for group in profile:
        ((action, verdict),) = group.attrib.items()
        assert verdict == 'ALLOW'
        names = [str(entry.text) for entry in group]
        assert '*' not in ''.join(names)
        found[group.tag, action] |= {
            name.replace('~/', f'/{node}/', 1)
            if name.startswith('~/')
            else name
            if name.startswith('/')
            else f'/{name}'
            for name in names
        }
    return found


def graph(peer: Peer) -> dict[tuple[str, str], set[str]]:
    """Return the names that the node has in the ROS graph, by kind."""
    node = peer.node

    def names(ask: Callable[[str, str], list[tuple[str, list[str]]]]) -> set[str]:
        return {name for name, _ in ask('cfrnet', '/')}

    return {
        SUBSCRIBE: names(node.get_subscriber_names_and_types_by_node),
        PUBLISH: names(node.get_publisher_names_and_types_by_node),
        REPLY: names(node.get_service_names_and_types_by_node),
        REQUEST: names(node.get_client_names_and_types_by_node),
    }


@pytest.mark.parametrize(
    ('policy', 'whole_frames'), [('crops_only', 'false'), ('whole_frames', 'true')]
)
def test_a_policy_allows_exactly_what_the_node_has(
    tmp_path: Path, halving_model: Path, policy: str, whole_frames: str
) -> None:
    wanted = allowed(ROOT / f'config/sros2/{policy}.policy.xml')
    domain = next_domain()
    arguments = ['-p', f'model:={halving_model}', '-p', f'whole_frames:={whole_frames}']
    process, peer = NodeProcess(tmp_path / 'node', domain, arguments), Peer(domain)
    try:
        process.wait_for_log('waiting for Image')
        wait_until(lambda: ('cfrnet', '/') in peer.node.get_node_names_and_namespaces(), 'the node')

        def seen() -> bool:
            found = graph(peer)
            return all(wanted[kind] - OPTIONAL <= found[kind] for kind in wanted)

        wait_until(seen, f'the node to have all that {policy} allows')
        # Anything more would fail under enforcement, or the policy lacks a new topic.
        found = graph(peer)
        assert not [name for kind in wanted for name in found[kind] - wanted[kind]]
        pictures = {topic for topic in found[PUBLISH] if 'image_' in topic}
        assert bool(pictures) == (whole_frames == 'true')
        assert process.end() == 0
    finally:
        peer.close()
        process.kill()
