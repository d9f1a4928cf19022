"""Where things lie in the folder that the parts are put together in.

The packages of the project lie there as in a checkout. The frozen critics lie in packages of the
names under which `training.critics.perceptual` and `training.critics.mobilefacenet` look for them.
"""

from __future__ import annotations

CONFIG, FACES, RUN = 'config.yaml', 'faces', 'run'

#: File that names the module whose `train_for` trains there, and the one that it names by default.
SESSION, RUN_SESSION = 'session.txt', 'training.run.borrowed.session'
