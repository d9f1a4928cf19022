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

"""Real-time face restoration for ROS 2: CFRNet applied k times to every face."""

import os

# When it is imported, the official Linux wheel of ONNX Runtime (seen with 1.31) writes an
# identifier of the machine to ~/.cache and sends usage data unless this variable is set. A node
# that sees faces must do neither, so this stands before every import of onnxruntime. To allow it,
# set the variable to 0. The second name is that of earlier versions.
os.environ.setdefault('ORT_DISABLE_TELEMETRY', '1')
os.environ.setdefault('ORT_TELEMETRY_DISABLED', '1')
