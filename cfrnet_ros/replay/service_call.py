"""Calling a service from a thread while another one spins the node."""

from __future__ import annotations

import threading
from typing import Any

from rclpy.node import Node


class ServiceTimeoutError(TimeoutError):
    """Nobody offers the service, or the answer did not come."""


def call(node: Node, kind: Any, name: str, request: Any, timeout_s: float) -> Any:
    """Call a service and wait for the answer.

    Args:
        node: spun by another thread.
        kind: class of the service.
        name: of the service.
        request: of that class's `Request`.
        timeout_s: for discovery, and once more for the answer, in seconds.

    Returns:
        The response.

    Raises:
        ServiceTimeoutError: after the timeout.

    """
    client = node.create_client(kind, name)
    try:
        if not client.wait_for_service(timeout_sec=timeout_s):
            raise ServiceTimeoutError(f'nobody offers the service {name} within {timeout_s:g} s')
        done = threading.Event()
        future = client.call_async(request)
        future.add_done_callback(lambda _: done.set())
        if not done.wait(timeout_s):
            raise ServiceTimeoutError(f'{name} did not answer within {timeout_s:g} s')
        return future.result()
    finally:
        node.destroy_client(client)
