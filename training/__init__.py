"""Training, evaluation and export of CFRNet (PyTorch). Never imported by ``cfrnet_ros``."""
