"""Real-time face restoration for ROS 2: CFRNet applied k times to every face."""

import os

# When it is imported, the official Linux wheel of ONNX Runtime (seen with 1.31) writes an
# identifier of the machine to ~/.cache and sends usage data unless this variable is set. A node
# that sees faces must do neither, so this stands before every import of onnxruntime. To allow it,
# set the variable to 0. The second name is that of earlier versions.
os.environ.setdefault('ORT_DISABLE_TELEMETRY', '1')
os.environ.setdefault('ORT_TELEMETRY_DISABLED', '1')
