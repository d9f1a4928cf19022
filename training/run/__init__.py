"""Training runs: configuration, batches, the trainer, checkpoints, logs and validation.

``python -m training.run.train`` is the command.
"""
