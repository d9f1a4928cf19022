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

"""Restores the faces of a bag into another bag, with the node's messages and without DDS."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

from rclpy.serialization import deserialize_message, serialize_message
from sensor_msgs.msg import CompressedImage, Image
from std_msgs.msg import Header

from cfrnet_ros.apps.restore.face_restorer import FaceRestorer
from cfrnet_ros.fleet.options import Options
from cfrnet_ros.fleet.outcome import Counts
from cfrnet_ros.node.face_report import to_status_msg
from cfrnet_ros.node.frame_report import to_frame_msg
from cfrnet_ros.node.frame_times import FrameTimes
from cfrnet_ros.node.images.decoder import ImageDecoder
from cfrnet_ros.node.images.errors import ImageError
from cfrnet_ros.node.images.messages import to_image_msg, to_jpeg_msg
from cfrnet_ros.replay.bag_reader import COMPRESSED, RAW, BagMessage, BagReader
from cfrnet_ros.replay.bag_writer import BagWriter
from cfrnet_ros.replay.errors import BagError
from cfrnet_ros.vision.camera_rotation import face_in_camera, rotate, rotate_back
from cfrnet_ros.vision.frame_record import FrameRecord
from cfrnet_ros.vision.views.compositor import blend_faces

#: Name of the node in the names of the topics, as when the node itself is run.
NODE = 'cfrnet'
_STATUS = 'diagnostic_msgs/msg/DiagnosticArray'
#: Most pixels of an image, the default of the node's `max_image_px`.
_MAX_PX = 33554432


def restore_bag(
    source: Path,
    target: Path,
    options: Options,
    restorer_of: Callable[[int], FaceRestorer],
) -> tuple[Counts, list[str]]:
    """Write a bag with the restored faces of each camera of a bag.

    For a camera of the name `<camera>`, which is empty if the bag has images on one topic only,
    the topics are `<camera>/cfrnet/face/image/compressed` (or `face/image`), `face/status`,
    `frame/status` and, if they are wanted, `image_restored/compressed`.

    Args:
        source: Bag: its folder, or a .mcap or .db3 file.
        target: Folder of the result, which appears when it is whole.
        options: What to write.
        restorer_of: Function that returns a restorer for the n-th camera of the bag.

    Returns:
        Counts, and sentences on what was left out.

    Raises:
        BagError: The bag cannot be read, has no images, or the result cannot be written.
        ModelError: A model failed.

    """
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(f'.{target.name}.{os.getpid()}.part')
    for left in target.parent.glob(f'.{target.name}.*.part'):
        # Of a process that was killed.
        shutil.rmtree(left, ignore_errors=True)
    counts, notes = Counts(), []
    try:
        with BagReader(source) as bag:
            topics = image_topics(bag, options.topics)
            with BagWriter(part) as writer:
                names = camera_names(topics)
                for number, topic in enumerate(topics):
                    restorer = restorer_of(number)
                    restorer.new_video()
                    camera = _Camera(names[topic], restorer, writer, options, counts)
                    for message in bag.messages(topic):
                        camera.add(message)
                    counts.media_s += camera.seconds
        if not counts.frames:
            raise BagError(f'none of its {counts.rejected} images can be decoded')
        part.replace(target)
    finally:
        shutil.rmtree(part, ignore_errors=True)
    if counts.rejected:
        notes.append(f'{counts.rejected} images could not be decoded')
    return counts, notes


def image_topics(bag: BagReader, wanted: Sequence[str]) -> list[str]:
    """Return the topics whose images are restored.

    Args:
        bag: Open bag.
        wanted: Names of topics; empty for all with images, without the compressed images of a
            camera whose raw ones are there.

    Raises:
        BagError: A topic is not in the bag or has no images, or there are none at all.

    """
    images = {name for name, kind in bag.topics.items() if kind in (RAW, COMPRESSED)}
    images = {name for name in images if bag.count(name)}
    listed = ', '.join(sorted(images)) or 'none'
    missing = [name for name in wanted if name not in images]
    if missing:
        raise BagError(f'it has no images on {", ".join(missing)}; it has: {listed}')
    if not images:
        raise BagError(f'it has no topic with images; it has: {", ".join(bag.topics) or "none"}')
    doubled = {f'{name}/compressed' for name in images}
    return list(wanted) or sorted(images - doubled)


def camera_names(topics: Sequence[str]) -> dict[str, str]:
    """Return the name of the node of each topic's camera, with a leading slash.

    It is /cfrnet for a single camera, otherwise that in the namespace of the images, such as
    /front/cfrnet for /front/image_raw, or in their whole name where two cameras share a namespace.
    """
    if len(topics) == 1:
        return {topics[0]: f'/{NODE}'}
    above = {topic: topic.removesuffix('/compressed').rpartition('/')[0] for topic in topics}
    alone = [topic for topic in topics if list(above.values()).count(above[topic]) == 1]
    return {topic: f'{above[topic] if topic in alone else topic}/{NODE}' for topic in topics}


class _Camera:
    """The images of one topic of a bag.

    Attributes:
        seconds: Time from the first image to the last, and one period more.

    """

    def __init__(
        self,
        name: str,
        restorer: FaceRestorer,
        writer: BagWriter,
        options: Options,
        counts: Counts,
    ) -> None:
        self._name, self._restorer, self._writer = name, restorer, writer
        self._options, self._counts = options, counts
        self._decoder = ImageDecoder(_MAX_PX)
        self._times = FrameTimes()
        self._span: list[int] = []
        self._images = 0
        self._crops = f'{name}/face/image' + ('' if options.raw_crops else '/compressed')
        self._frames = f'{name}/image_restored/compressed'
        kind = RAW if options.raw_crops else COMPRESSED
        writer.add_topic(self._crops, kind)
        for topic in (f'{name}/face/status', f'{name}/frame/status'):
            writer.add_topic(topic, _STATUS)
        if options.whole_frames:
            writer.add_topic(self._frames, COMPRESSED)

    @property
    def seconds(self) -> float:
        if self._images < 2:
            return 0.0
        return (self._span[1] - self._span[0]) / 1e9 * self._images / (self._images - 1)

    def add(self, message: BagMessage) -> None:
        """Restore one image and write what the node would publish."""
        self._images += 1
        self._span = [*self._span[:1], message.time_ns]
        time_ns = message.time_ns
        header = Header()
        try:
            kind = Image if message.msgtype == RAW else CompressedImage
            msg = deserialize_message(message.data, kind)
            header = msg.header
            camera_image = self._decoder.decode(msg)
        except Exception as error:  # the deserialisation of damaged data raises anything
            reason = error.cause if isinstance(error, ImageError) else 'corrupt'
            self._counts.rejected += 1
            report = to_frame_msg(self._name[1:], header, FrameRecord({}), f'{reason}: {error}')
            self._write('frame/status', time_ns, report)
            return
        stamp_ns = header.stamp.sec * 1_000_000_000 + header.stamp.nanosec
        time_s = self._times.add(stamp_ns, time_ns / 1e9)
        if self._times.restarted:
            self._restorer.new_video()
        rotation = self._options.rotation
        upright = rotate(camera_image, rotation)
        result = self._restorer.process(upright, time_s)
        height, width = camera_image.shape[:2]
        faces = [face_in_camera(face, rotation, width, height) for face in result.faces]
        for face in faces:
            crop = (
                to_image_msg(face.crop, header)
                if self._options.raw_crops
                else to_jpeg_msg(face.crop, header, self._options.jpeg_quality)
            )
            self._writer.write(self._crops, time_ns, serialize_message(crop))
        self._write('face/status', time_ns, to_status_msg(faces, header, self._name[1:]))
        self._write('frame/status', time_ns, to_frame_msg(self._name[1:], header, result.record))
        if self._options.whole_frames:
            blended = rotate_back(blend_faces(upright, result.faces), rotation)
            restored = to_jpeg_msg(blended, header, self._options.jpeg_quality)
            self._writer.write(self._frames, time_ns, serialize_message(restored))
        self._writer.check()
        self._counts.frames += 1
        self._counts.faces += result.record.restored

    def _write(self, topic: str, time_ns: int, message: object) -> None:
        self._writer.write(f'{self._name}/{topic}', time_ns, serialize_message(message))
