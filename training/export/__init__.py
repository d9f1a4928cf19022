"""From a run to the ONNX files that ship.

``python -m training.tools.export --run RUN --data FACES`` is the command.

| file | job |
| --- | --- |
| `camera_format.py` | fold colour order and value range into the weights |
| `fp32.py` | write the FP32 model, check it against PyTorch |
| `faces.py` | degraded faces to calibrate with and to compare on |
| `quantise.py` | INT8 QDQ, eight bits at either end |
| `compare.py` | what the INT8 model loses against the FP32 model |
| `card.py`, `texts.py` | the model card, and the figures of the evaluation in it |
| `cards_page.py` | `README.md` of the models' folder, made of the cards |

`card.py`, `texts.py` and `cards_page.py` need no PyTorch.
"""
