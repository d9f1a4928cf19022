"""Training on a machine that is borrowed for minutes, behind a narrow line.

`training.tools.pack` makes the parts that go there, `start` is the script that trains there, and
`training.tools.from_borrowed` makes a run of what comes back.
"""
