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

"""Who may use the page: names of this machine, the page's own origin, and the token."""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import secrets
import socket
from collections.abc import Iterable
from urllib.parse import urlsplit

#: Shortest token that is accepted, in characters: 16 of them cannot be guessed over a network.
LEAST_TOKEN = 16


class Access:
    """Checks requests.

    Three things are checked. The Host header must name this machine: a page of another site that
    makes its own name point here (DNS rebinding) sends its own name. The Origin header, which a
    browser sets and a page cannot change, must be that of this page where something is changed or
    a WebSocket is opened. And where a token is asked for, the browser must have proved it.
    """

    def __init__(self, address: str, token: str = '', names: Iterable[str] = ()) -> None:
        """Remember what is allowed.

        Args:
            address: Address to which the server is bound.
            token: Token that browsers must have; '' for none.
            names: Further names of this machine, such as that of a proxy.

        """
        self._token = token
        self._loopback = is_loopback(address)
        own = {'localhost', *(name.lower() for name in names)}
        if not self._loopback:
            host = socket.gethostname().lower()
            own |= {host, f'{host}.local', socket.getfqdn().lower()}
        self._names = frozenset(own)
        # Not the token itself, so that a cookie opens nothing but this run of the server.
        key = secrets.token_bytes(32)
        self.cookie = hmac.new(key, token.encode(), hashlib.sha256).hexdigest()

    @property
    def asks(self) -> bool:
        """Whether browsers need the token."""
        return bool(self._token)

    def is_host(self, header: str) -> bool:
        """Return whether a Host header names this machine, with any port.

        Any port, since a tunnel may have another one at its other end. A server that is bound to
        all addresses accepts any address in numbers: names are what rebinding needs.
        """
        name = _host_of(header)
        if name is None:
            return False
        try:
            address = ipaddress.ip_address(name)
        except ValueError:
            return name in self._names
        return address.is_loopback or not self._loopback

    def is_origin(self, origin: str | None, host: str) -> bool:
        """Return whether an Origin header is that of a page from the host of the request.

        Args:
            origin: Origin header, None if there is none: browsers always send it.
            host: Host header.

        """
        if origin is None:
            return False
        scheme, _, place = origin.partition('://')
        return scheme in ('http', 'https') and place.lower() == host.lower()

    def is_token(self, given: str) -> bool:
        """Return whether a token is the right one; the time tells nothing about it."""
        return self.asks and hmac.compare_digest(given.encode(), self._token.encode())

    def is_cookie(self, given: str | None) -> bool:
        """Return whether a cookie lets its browser in; True where no token is asked for."""
        return not self.asks or hmac.compare_digest((given or '').encode(), self.cookie.encode())


def new_token() -> str:
    """Return a token of 192 random bits."""
    return secrets.token_urlsafe(24)


def is_loopback(address: str) -> bool:
    """Return whether an address is reached from this machine only.

    Args:
        address: Address in numbers, or a name; the only name that is looked at is 'localhost'.

    """
    if address.lower() == 'localhost':
        return True
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return False


def _host_of(header: str) -> str | None:
    """Return the name or address in a Host header, in lower case; None if it is damaged."""
    try:
        parts = urlsplit(f'//{header}')
        _ = parts.port  # Raises for a port that is no number.
    except ValueError:
        return None
    if parts.path or parts.query or parts.fragment or '@' in header:
        return None
    return parts.hostname
