"""What is told about each frame, in `~/frame/status`."""

from __future__ import annotations

from collections.abc import Mapping

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
from std_msgs.msg import Header

from cfrnet_ros.node.face_report import value_text


def to_frame_msg(
    node_name: str,
    header: Header,
    values: Mapping[str, object],
    stages_ms: Mapping[str, float],
    rejected: str = '',
) -> DiagnosticArray:
    """Describe a frame that was processed or rejected.

    Args:
        node_name: what the status's name begins with.
        header: of the source image.
        values: of the frame, by key; they follow from the images alone.
        stages_ms: duration by stage, milliseconds; written as `latency/<stage>_ms`.
        rejected: why the frame was rejected, '' if it was not.

    Returns:
        diagnostic_msgs/DiagnosticArray with one status, OK if the frame was processed, else
        WARN with the reason as its message.

    """
    everything = {**values, **{f'latency/{stage}_ms': ms for stage, ms in stages_ms.items()}}
    status = DiagnosticStatus(
        level=DiagnosticStatus.WARN if rejected else DiagnosticStatus.OK,
        name=f'{node_name}: frame',
        message=rejected or 'processed',
        values=[KeyValue(key=key, value=value_text(value)) for key, value in everything.items()],
    )
    return DiagnosticArray(header=header, status=[status])
