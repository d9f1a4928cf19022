"""Model files: finding them, reading their cards, and running them with ONNX Runtime."""
