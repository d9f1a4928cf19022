# Copyright 2026 The cfrnet_ros authors
#
# Licensed under the Apache License, Version 2.0 (the "License");
# you may not use this file except in compliance with the License.
# You may obtain a copy of the License at
#
#     http://www.apache.org/licenses/LICENSE-2.0
#
# Unless required by applicable law or agreed to in writing, software
# distributed under the License is distributed on an "AS IS" BASIS,
# WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either express or implied.
# See the License for the specific language governing permissions and
# limitations under the License.

"""Claims a ROS domain, so that no two processes on this machine share one.

A claim is a UDP port of the domain that is kept bound on the loopback interface. No other
process can bind it, whatever its checkout or user, and the kernel releases it when the
process ends. Nothing is ever sent to the port.
"""

from __future__ import annotations

import errno
import itertools
import random
import socket
from collections.abc import Sequence
from pathlib import Path

from cfrnet_ros.replay.errors import NoDomainError

#: Domain ids; above 101 the ports of a domain overlap those that Linux assigns dynamically.
DOMAINS = range(1, 102)

#: Ports in RTPS: those of domain d begin at 7400 + 250 d, and the first is that of discovery by
#: multicast, on which every participant listens (DDSI-RTPS 2.5, 9.6.2.3).
_FIRST_PORT, _PORTS = 7400, 250
#: Offset of the claimed port, the last of the domain, which only a 120th participant would use.
_CLAIM_PORT = _PORTS - 1

_shuffled = list(DOMAINS)
random.SystemRandom().shuffle(_shuffled)
_next = itertools.cycle(_shuffled)
_claims: dict[int, socket.socket] = {}


def claim_domain(among: Sequence[int] | None = None) -> int:
    """Claim a domain that has no participants and that no other process has claimed.

    Args:
        among: Domain ids to try, in this order. None for `DOMAINS`, in a random order that
            continues after the last claim, so that no domain is repeated before all were tried.

    Returns:
        Domain id. It is held until `release_domain` or the end of the process.

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
        'no ROS domain is free: end other ROS processes on this machine, or choose a domain with'
        ' ROS_DOMAIN_ID'
    )


def release_domain(domain: int) -> None:
    """Release this process's claim of a domain; does nothing without a claim."""
    claim = _claims.pop(domain, None)
    if claim is not None:
        claim.close()


def _bind(domain: int) -> socket.socket | None:
    """Return the socket that holds the claim; None if another process holds it."""
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

    The ports are looked up and not tried, because binding one, even for a moment, could take it
    from a participant that starts at that time.
    """
    ports = set()
    for table in (Path('/proc/net/udp'), Path('/proc/net/udp6')):
        if table.exists():
            for line in table.read_text().splitlines()[1:]:
                ports.add(int(line.split()[1].rpartition(':')[2], 16))
    return ports
