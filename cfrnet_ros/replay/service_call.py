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

"""Calls a service from one thread while another one spins the node."""

from __future__ import annotations

import threading
from typing import Any

from rclpy.node import Node


class ServiceTimeoutError(TimeoutError):
    """No node offers the service, or the answer did not come in time."""


def call(node: Node, kind: Any, name: str, request: Any, timeout_s: float) -> Any:
    """Call a service and wait for the answer.

    Args:
        node: Node that another thread spins.
        kind: Class of the service.
        name: Name of the service.
        request: Request, an instance of the class's `Request`.
        timeout_s: Timeout in seconds for discovery, and once more for the answer.

    Returns:
        Response of the service.

    Raises:
        ServiceTimeoutError: The service was not offered or did not answer in time.

    """
    client = node.create_client(kind, name)
    try:
        if not client.wait_for_service(timeout_sec=timeout_s):
            raise ServiceTimeoutError(f'no node offered the service {name} within {timeout_s:g} s')
        done = threading.Event()
        future = client.call_async(request)
        future.add_done_callback(lambda _: done.set())
        if not done.wait(timeout_s):
            raise ServiceTimeoutError(f'{name} did not answer within {timeout_s:g} s')
        return future.result()
    finally:
        node.destroy_client(client)
