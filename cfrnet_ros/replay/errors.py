"""What can go wrong in a replay; every message names the cause and what to do."""

from __future__ import annotations


class ReplayError(Exception):
    """A replay cannot start or go on."""


class BagError(ReplayError):
    """A bag is missing, broken, or lacks what is needed."""


class NodeDiedError(ReplayError):
    """The node's process ended while it was needed."""


class ParameterError(ReplayError):
    """The node refused a parameter or did not answer."""


class NoDomainError(ReplayError):
    """Every ROS domain is claimed or has participants."""
