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

"""The words of the model cards."""

from __future__ import annotations

INTENDED_USE = (
    'Restoring aligned faces from dark, noisy, blurred or compressed camera images in real time, '
    'so that people and downstream nodes (landmarks, eye openness, head pose) see them better.'
)

OUT_OF_SCOPE = [
    'Evidence of identity, expression, intent or health: detail that was not recorded is '
    'invented. Do not use it in identification, investigation, border control or court.',
    'Deciding by itself anything about the safety of people. A restored face supports a '
    'driver-monitoring function; it does not replace its own plausibility checks.',
    'Images of other things than faces, faces that are not aligned to the template of the card, '
    'medical images, and archives in which the restored face would pass for the original.',
]

LIMITS = [
    'Restoration invents detail that was not recorded. A restored face is no evidence of '
    'identity, expression or health.',
    'Trained mostly on North American and European office holders in studio light, mostly '
    'frontal; darker skin is a minority of the data. Expect worse results away from that.',
    'One aligned face a crop; profiles, heavy occlusion and faces below about 30 px are outside '
    'what it was trained for.',
    'The third and further cycles make detail where none is left: in a face smeared beyond '
    'recognition, features can come out in places where there are none. Measure with one or two '
    'cycles, look with three.',
    'Grey (infrared) faces stay grey in cfrnet_ros, which takes the colour away after each cycle; '
    'the file by itself may tint their eyes and lips.',
]

#: By layout, what else its limits are.
LAYOUT_LIMITS = {
    'plain': [
        'Without skip connections it restores less than CFRNet of the same size, computes 2.4 '
        'times as much a cycle, and goes on changing the face beyond the third: it is for '
        'compilers and accelerators that take little else than a chain of convolutions.',
    ],
}

LICENCE = 'Apache-2.0'

#: By a word of the manifest's licence column, whom to credit (CC BY asks for it).
CREDITS = {
    '5047666': 'Lisa DeBruine and Benedict Jones: Face Research Lab London Set. figshare '
    '5047666, CC BY 4.0.',
    '4220517': 'Lisa DeBruine and Benedict Jones: Young Adult White Faces. figshare 4220517, '
    'CC BY 4.0.',
}
