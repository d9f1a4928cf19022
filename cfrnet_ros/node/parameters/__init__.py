"""The node's parameters: declared, checked, offered to ROS, and written down."""

from __future__ import annotations

from cfrnet_ros.node.parameters.node_parameters import (
    BY_NAME,
    SPECS,
    NodeParameters,
    Settings,
    find_problems,
)

__all__ = ['BY_NAME', 'SPECS', 'NodeParameters', 'Settings', 'find_problems']
