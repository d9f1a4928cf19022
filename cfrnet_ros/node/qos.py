"""Quality of service of what the node receives and sends."""

from __future__ import annotations

from rclpy.qos import DurabilityPolicy, HistoryPolicy, QoSProfile, ReliabilityPolicy

#: Messages kept for slow readers on topics that carry one message a face: with one only,
#: the faces of a frame would overwrite each other.
FACE_DEPTH = 8


def input_qos() -> QoSProfile:
    """Best effort matches every publisher; only the newest frame is of interest."""
    return QoSProfile(
        history=HistoryPolicy.KEEP_LAST,
        depth=1,
        reliability=ReliabilityPolicy.BEST_EFFORT,
        durability=DurabilityPolicy.VOLATILE,
    )


def output_qos(depth: int = 1) -> QoSProfile:
    """Reliable, so that recorders and viewers of any QoS match; only the newest are kept."""
    return QoSProfile(
        history=HistoryPolicy.KEEP_LAST,
        depth=depth,
        reliability=ReliabilityPolicy.RELIABLE,
        durability=DurabilityPolicy.VOLATILE,
    )
