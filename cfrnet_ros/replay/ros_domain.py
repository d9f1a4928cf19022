"""Claiming a ROS domain, so that no two processes of this machine share one.

A claim is a UDP port of the domain that is kept bound on the loopback interface. No other
process can bind it, whatever checkout or user it belongs to, and the kernel releases it when
the process ends. Nothing is ever sent to it.
"""

from __future__ import annotations

import errno
import itertools
import random
import socket
from collections.abc import Sequence
from pathlib import Path

from cfrnet_ros.replay.errors import NoDomainError

#: Above 101 the ports of a domain reach into those that Linux gives to anybody.
DOMAINS = range(1, 102)

#: RTPS: the ports of domain d begin at 7400 + 250 d, and the first is that of discovery by
#: multicast, which every participant listens to (DDSI-RTPS 2.5, 9.6.2.3).
_FIRST_PORT, _PORTS = 7400, 250
#: The last port of the domain would belong to its 120th participant.
_CLAIM_PORT = _PORTS - 1

_shuffled = list(DOMAINS)
random.SystemRandom().shuffle(_shuffled)
_next = itertools.cycle(_shuffled)
_claims: dict[int, socket.socket] = {}


def claim_domain(among: Sequence[int] | None = None) -> int:
    """Claim a domain that has no participants and that nobody else has claimed.

    Args:
        among: Domain ids to try, in this order. None for `DOMAINS`, in a random order that goes
            on where the last claim ended, so that no domain comes again before all were tried.

    Returns:
        The domain id. It is held until `release_domain` or the end of the process.

    Raises:
        NoDomainError: None of the domains is free.

    """
    busy = _listened_ports()
    for domain in itertools.islice(_next, len(DOMAINS)) if among is None else among:
        if domain in _claims or _FIRST_PORT + _PORTS * domain in busy:
            continue
        claim = _bind(domain)
        if claim is not None:
            _claims[domain] = claim
            return domain
    raise NoDomainError(
        'no ROS domain is free: end other ROS processes on this machine, or choose one by'
        ' ROS_DOMAIN_ID'
    )


def release_domain(domain: int) -> None:
    """Give up this process's claim of a domain; without a claim nothing happens."""
    claim = _claims.pop(domain, None)
    if claim is not None:
        claim.close()


def _bind(domain: int) -> socket.socket | None:
    """Return the socket that is the claim; None where another process holds it."""
    claim = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    try:
        claim.bind(('127.0.0.1', _FIRST_PORT + _PORTS * domain + _CLAIM_PORT))
    except OSError as error:
        claim.close()
        if error.errno == errno.EADDRINUSE:
            return None
        raise
    return claim


def _listened_ports() -> set[int]:
    """Return the UDP ports in use on this machine; empty on systems without /proc/net/udp.

    Ports are looked up rather than tried: binding one, if only for a moment, could take it from
    a participant that starts just then.
    """
    ports = set()
    for table in (Path('/proc/net/udp'), Path('/proc/net/udp6')):
        if table.exists():
            for line in table.read_text().splitlines()[1:]:
                ports.add(int(line.split()[1].rpartition(':')[2], 16))
    return ports
