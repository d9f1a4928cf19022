"""The node's parameters: their declarations, checks, ROS interface and documentation."""

from __future__ import annotations

from cfrnet_ros.node.parameters.node_parameters import NodeParameters
from cfrnet_ros.node.parameters.settings import PARAMETERS, Settings

__all__ = ['PARAMETERS', 'NodeParameters', 'Settings']
