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

"""`cfrnet-view` puts together what belongs to one frame."""

from __future__ import annotations

from cfrnet_ros.apps.view.matching import MOST_IMAGES, FaceMatcher, RecentImages
from cfrnet_ros.apps.view.packets import pack, unpack


def test_images_are_found_by_their_stamp_until_newer_ones_take_their_place() -> None:
    images = RecentImages()
    for stamp in range(1, MOST_IMAGES + 3):
        images.add(stamp, b'%d' % stamp)
    assert images.find(2) is None
    assert images.find(3) == b'3'
    assert images.find(MOST_IMAGES + 2) == b'%d' % (MOST_IMAGES + 2)


def test_large_images_are_kept_for_a_shorter_time_and_the_newest_always() -> None:
    images = RecentImages(most_bytes=100)
    images.add(1, b'a' * 60)
    images.add(2, b'b' * 60)
    assert images.find(1) is None
    images.add(3, b'c' * 200)
    assert images.find(2) is None
    assert images.find(3) == b'c' * 200


def test_the_newest_of_images_without_stamps_is_taken() -> None:
    images = RecentImages()
    images.add(0, b'old')
    images.add(0, b'new')
    assert images.find(0) == b'new'


def test_a_frame_is_complete_when_it_has_a_crop_for_each_face() -> None:
    for order in ('scc', 'csc', 'ccs'):
        matcher = FaceMatcher()
        done = [
            matcher.add_status(5, [{'track_id': '1'}, {'track_id': '2'}])
            if what == 's'
            else matcher.add_crop(5, what.encode())
            for what in order
        ]
        assert [found is not None for found in done] == [False, False, True], order


def test_a_frame_without_faces_is_complete_at_once() -> None:
    found = FaceMatcher().add_status(5, [])
    assert found is not None
    assert found.faces == []


def test_a_frame_that_lost_a_crop_gives_way_to_the_next() -> None:
    matcher = FaceMatcher()
    assert matcher.add_status(5, [{'track_id': '1'}, {'track_id': '2'}]) is None
    assert matcher.add_crop(5, b'first') is None
    assert matcher.add_crop(6, b'next') is None
    found = matcher.add_status(6, [{'track_id': '1'}])
    assert found is not None
    assert found.crops == [b'next']
    # What comes late of the frame before does not complete it.
    assert matcher.add_crop(5, b'second') is None


def test_a_message_is_read_as_it_was_written() -> None:
    files = [b'', b'\xff\xd8 camera', b'restored' * 1000]
    about, found = unpack(pack({'kind': 'whole', 'error': 'ä'}, files))
    assert found == files
    assert about == {'kind': 'whole', 'error': 'ä', 'lengths': [0, 9, 8000]}
