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

"""Other face restorers, each our own small implementation from its paper.

All have about 2.0 M parameters at 256 x 256 px, so that they can be trained and measured beside
CFRNet (`training.experiments.compare_systems`). What makes each of them that system is kept; what
its authors could afford (pretrained face generators, hundreds of thousands of steps, hundreds of
megabytes) is not. ``training.networks.systems.build`` chooses among them.
"""

from __future__ import annotations
