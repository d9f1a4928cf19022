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

"""Measuring the shipped ONNX files on people who took no part in training.

``protocol`` says what is measured where, ``cases`` makes the degraded test faces, ``runner``
restores them through ONNX Runtime, ``meters`` measures them, ``work`` does so chunk by
chunk into ``cache``; ``summary``, ``figures``, ``results_page``, ``plots`` and ``sheets``
turn the rows into what people read. ``python -m training.tools.evaluate`` is the command.
"""
