"""Measuring the shipped ONNX files on people who took no part in training.

``protocol`` says what is measured where, ``cases`` makes the degraded test faces, ``runner``
restores them through ONNX Runtime, ``meters`` measures them, ``work`` does so chunk by
chunk into ``cache``; ``summary``, ``figures``, ``results_page``, ``plots`` and ``sheets``
turn the rows into what people read. ``python -m training.tools.evaluate`` is the command.
"""
