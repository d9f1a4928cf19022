"""CFRNet in other engines: accuracy and time beside ONNX Runtime."""
