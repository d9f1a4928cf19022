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

"""Resources of the lifecycle: freed by a cleanup, and undone by a failed activation."""

from __future__ import annotations

import gc
from pathlib import Path

import rclpy
from diagnostic_msgs.msg import DiagnosticStatus
from node_harness import NodeProcess, Peer
from rclpy.context import Context
from rclpy.lifecycle import TransitionCallbackReturn
from ros_domains import next_domain

from cfrnet_ros.node.engine import Engine
from cfrnet_ros.node.restorer_node import RestorerNode


def test_failed_activation_is_reported_as_such_and_leaves_no_subscription(
    tmp_path: Path, halving_model: Path
) -> None:
    domain = next_domain()
    # This depth is larger than the middleware allows, which is an error only at subscription.
    depth = 'qos_overrides./image.subscription.depth:=4294967296000'
    arguments = ['-p', f'model:={halving_model}', '-p', 'autostart:=false', '-p', depth]
    process = NodeProcess(tmp_path / 'node', domain, arguments)
    peer = Peer(domain)
    try:
        assert peer.transition('configure')
        assert not peer.transition('activate')
        assert peer.state() == 'inactive'
        engine = peer.wait_for_diagnostics(
            lambda d: d['engine'].level == DiagnosticStatus.ERROR, 'an error of the engine'
        )['engine']
        assert engine.message.startswith('not activated: ')
        assert 'not configured' not in engine.message
        assert 'cannot activate: ' in process.log
        # The subscription to the camera's intrinsics was created before that to the image failed.
        assert peer.node.count_subscribers('/camera_info') == 0
        assert peer.transition('cleanup')
        peer.wait_for_diagnostics(
            lambda d: d['engine'].message == 'unconfigured', 'no error after the cleanup'
        )
        assert process.end() == 0
    finally:
        peer.close()
        process.kill()


def engines() -> int:
    gc.collect()
    return sum(type(each) is Engine for each in gc.get_objects())


def test_cleanup_frees_the_models(halving_model: Path) -> None:
    context = Context()
    rclpy.init(context=context, domain_id=next_domain())
    node = RestorerNode(context=context, cli_args=['--ros-args', '-p', f'model:={halving_model}'])
    try:
        before = engines()
        for _ in range(2):
            assert node.trigger_configure() == TransitionCallbackReturn.SUCCESS
            assert engines() == before + 1
            assert node.trigger_activate() == TransitionCallbackReturn.SUCCESS
            assert node.trigger_deactivate() == TransitionCallbackReturn.SUCCESS
            assert node.trigger_cleanup() == TransitionCallbackReturn.SUCCESS
            assert node.wait_for_worker(60.0)
            assert engines() == before
    finally:
        node.destroy_node()
        rclpy.shutdown(context=context)
