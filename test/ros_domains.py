"""ROS domains for tests: none twice, so that nobody meets what an earlier node left behind.

A killed participant leaves shared memory that belongs to its domain, and a test that draws the
domain of one that still runs would find two nodes.
"""

from __future__ import annotations

import itertools
import random

#: Above 101 the ports of a domain reach into those that Linux gives to anybody.
_DOMAINS = list(range(1, 101))
random.SystemRandom().shuffle(_DOMAINS)
_NEXT = itertools.cycle(_DOMAINS)


def next_domain() -> int:
    """Return a domain id that has not been used by this process for 100 calls."""
    return next(_NEXT)
