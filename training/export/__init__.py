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

"""From a run to the ONNX files that ship.

``python -m training.tools.export --run RUN --data FACES`` is the command.

| file | job |
| --- | --- |
| `camera_format.py` | fold colour order and value range into the weights |
| `fp32.py` | write the FP32 model, check it against PyTorch |
| `shipped.py` | the network that a shipped FP32 file holds, as PyTorch runs it |
| `faces.py` | degraded faces to calibrate with and to compare on |
| `equalise.py` | channels made alike before they are quantised |
| `quantise.py` | INT8 QDQ, bytes at either end |
| `qdq_network.py`, `learning.py` | a QDQ graph in PyTorch, and training it towards FP32 |
| `int8.py` | calibrations tried, the best one kept |
| `compare.py` | what the INT8 model loses against the FP32 model |
| `golden.py` | golden crops, and the limit of the self-test on them |
| `card.py`, `texts.py` | the model card, and the figures of the evaluation in it |
| `cards_page.py` | `README.md` of the models' folder, made of the cards |

`card.py`, `texts.py` and `cards_page.py` need no PyTorch.
"""
