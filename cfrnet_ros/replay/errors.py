"""Errors of a replay; every message names the cause and what to do."""

from __future__ import annotations


class ReplayError(Exception):
    """A replay cannot start or cannot continue."""


class BagError(ReplayError):
    """A bag is missing or damaged, or lacks required topics or messages."""


class NodeDiedError(ReplayError):
    """The node's process ended while the replay needed it."""


class ParameterError(ReplayError):
    """The node refused a parameter or did not answer."""


class NoDomainError(ReplayError):
    """Every ROS domain is claimed or has participants."""
