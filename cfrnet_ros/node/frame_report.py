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

"""Converts the account of a frame to a message of `~/frame/status` and back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
from std_msgs.msg import Header

from cfrnet_ros.node.face_report import value_text
from cfrnet_ros.vision.frame_record import FrameRecord
from cfrnet_ros.vision.stages import Stage

#: Keys of the counts, and the fields of `FrameRecord` that contain them.
_COUNTS = {
    'faces/crops': 'passed_on',
    'faces/restored': 'restored',
    'faces/reused': 'reused',
    'faces/fine': 'fine',
    'cycles/asked': 'cycles_asked',
    'cycles/allowed': 'cycles_allowed',
    'cycles/used': 'cycles_used',
}


def to_frame_msg(
    node_name: str, header: Header, record: FrameRecord, rejected: str = ''
) -> DiagnosticArray:
    """Describe a frame that was processed or rejected.

    Args:
        node_name: Name of the node. The name of the status begins with it.
        header: Header of the source image.
        record: Account of the frame. If the frame was rejected, only its stages are reported.
        rejected: Reason for which the frame was rejected, '' if it was processed.

    Returns:
        diagnostic_msgs/DiagnosticArray with one status: OK if the frame was processed, otherwise
        WARN with the reason as its message. The time of each stage is `latency/<stage>_ms`.

    """
    values: dict[str, object] = {}
    if not rejected:
        counts = {key: getattr(record, name) for key, name in _COUNTS.items()}
        # A count that is not known, as that of a fine stage which is off, is left out.
        values |= {key: count for key, count in counts.items() if count is not None}
    values |= {f'latency/{stage.value}_ms': record.stages_ms[stage] for stage in _told(record)}
    status = DiagnosticStatus(
        level=DiagnosticStatus.WARN if rejected else DiagnosticStatus.OK,
        name=f'{node_name}: frame',
        message=rejected or 'processed',
        values=[KeyValue(key=key, value=value_text(value)) for key, value in values.items()],
    )
    return DiagnosticArray(header=header, status=[status])


def record_of(values: Mapping[str, str]) -> FrameRecord:
    """Read the account of a frame from the values of its status.

    Args:
        values: Values by key, from a status that `to_frame_msg` made.

    Returns:
        Account with the stages and counts of the message; its other fields keep their defaults.

    Raises:
        ValueError: A value is not a number.

    """
    counts: dict[str, Any] = {
        name: int(values[key]) for key, name in _COUNTS.items() if key in values
    }
    times = {stage: values.get(f'latency/{stage.value}_ms') for stage in Stage}
    stages_ms = {stage: float(text) for stage, text in times.items() if text is not None}
    return FrameRecord(stages_ms=stages_ms, **counts)


def _told(record: FrameRecord) -> list[Stage]:
    # AGE is not reported: a reader knows the header's stamp and the arrival time of the crops.
    return [stage for stage in record.stages_ms if stage is not Stage.AGE]
