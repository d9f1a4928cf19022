"""Model files: finding them, their cards, and running them with ONNX Runtime."""
