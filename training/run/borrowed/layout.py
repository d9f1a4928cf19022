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

"""Where things lie in the folder that the parts are put together in.

The packages of the project lie there as in a checkout. The frozen critics lie in packages of the
names under which `training.critics.perceptual` and `training.critics.mobilefacenet` look for them.
"""

from __future__ import annotations

CONFIG, FACES, RUN = 'config.yaml', 'faces', 'run'

#: File that names the module whose `train_for` trains there, and the one that it names by default.
SESSION, RUN_SESSION = 'session.txt', 'training.run.borrowed.session'
