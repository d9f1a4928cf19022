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

"""The web server: the page's files, the check of the token, and the WebSocket."""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path

from aiohttp import web
from aiohttp.typedefs import Handler

from cfrnet_ros.apps.view.access import Access
from cfrnet_ros.apps.view.browser import Browser
from cfrnet_ros.apps.view.hub import Hub

_log = logging.getLogger(__name__)
_PAGE = Path(__file__).resolve().parent / 'page'
_TYPES = {
    '.html': 'text/html',
    '.css': 'text/css',
    '.js': 'text/javascript',
    '.svg': 'image/svg+xml',
}
#: Most browsers at once, and most bytes of what one of them may send in a message.
MOST_BROWSERS = 16
MOST_BYTES = 4096
#: Time in seconds that a wrong token takes.
WRONG_TOKEN_S = 1.0
#: Time in seconds after which a browser that does not answer is disconnected.
HEARTBEAT_S = 10.0

#: Scripts, styles and connections of this server only, nothing inline, in no other site's frame.
HEADERS = {
    'Content-Security-Policy': "default-src 'none'; script-src 'self'; style-src 'self';"
    " img-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none';"
    " frame-ancestors 'none'",
    'Cache-Control': 'no-store',
    'Cross-Origin-Opener-Policy': 'same-origin',
    'Cross-Origin-Resource-Policy': 'same-origin',
    'Permissions-Policy': 'camera=(), microphone=(), geolocation=()',
    'Referrer-Policy': 'no-referrer',
    'X-Content-Type-Options': 'nosniff',
}


class Server:
    """Answers browsers."""

    def __init__(self, hub: Hub, access: Access) -> None:
        """Read the page's files.

        Args:
            hub: Nodes and browsers.
            access: What is allowed to whom.

        """
        self._hub, self._access = hub, access
        self._files = {path.name: path.read_bytes() for path in _PAGE.iterdir() if path.is_file()}
        self._port = 0

    def application(self) -> web.Application:
        """Return the application with all routes."""
        application = web.Application(middlewares=[self._check_host], client_max_size=MOST_BYTES)
        application.add_routes(
            [
                web.get('/', self._file),
                web.get('/session', self._session),
                web.post('/session', self._log_in),
                web.get('/socket', self._socket),
                web.get('/{name}', self._file),
            ]
        )
        application.on_response_prepare.append(_add_headers)
        return application

    async def start(self, address: str, port: int) -> tuple[web.AppRunner, int]:
        """Start to answer.

        Args:
            address: Address to bind to.
            port: Port, 0 for any that is free.

        Returns:
            What is to be cleaned up in the end, and the port.

        Raises:
            OSError: The address does not exist or the port is in use.

        """
        runner = web.AppRunner(self.application(), access_log=None, shutdown_timeout=2.0)
        await runner.setup()
        try:
            await web.TCPSite(runner, address, port, reuse_address=True).start()
        except OSError:
            await runner.cleanup()
            raise
        self._port = int(runner.addresses[0][1])
        return runner, self._port

    @property
    def _cookie(self) -> str:
        # Cookies know no ports: two viewers on one machine must not replace each other's.
        return f'cfrnet_view_{self._port}'

    @web.middleware
    async def _check_host(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        if not self._access.is_host(request.headers.get('Host', '')):
            raise web.HTTPForbidden(
                text='cfrnet-view does not answer to this name. Use its address in numbers, or'
                ' start it with --allow-host NAME.\n'
            )
        return await handler(request)

    def _check_origin(self, request: web.Request) -> None:
        if not self._access.is_origin(request.headers.get('Origin'), request.headers['Host']):
            raise web.HTTPForbidden(text='only pages of cfrnet-view itself may ask for this\n')

    def _check_cookie(self, request: web.Request) -> None:
        if not self._access.is_cookie(request.cookies.get(self._cookie)):
            raise web.HTTPUnauthorized(text='the token is missing\n')

    async def _file(self, request: web.Request) -> web.Response:
        name = request.match_info.get('name', 'index.html')
        body = self._files.get(name)
        if body is None:
            raise web.HTTPNotFound(text='there is no such page\n')
        kind = _TYPES[Path(name).suffix]
        return web.Response(body=body, content_type=kind, charset='utf-8')

    async def _session(self, request: web.Request) -> web.Response:
        self._check_cookie(request)
        return web.Response(status=204)

    async def _log_in(self, request: web.Request) -> web.Response:
        self._check_origin(request)
        if not self._access.is_token(await request.text()):
            _log.warning('a wrong token came from %s', request.remote)
            await asyncio.sleep(WRONG_TOKEN_S)
            raise web.HTTPUnauthorized(text='the token is wrong\n')
        response = web.Response(status=204)
        # Without an age, so that it ends with the browser.
        response.set_cookie(
            self._cookie, self._access.cookie, httponly=True, samesite='Strict', path='/'
        )
        return response

    async def _socket(self, request: web.Request) -> web.WebSocketResponse:
        self._check_origin(request)
        self._check_cookie(request)
        if self._hub.browsers >= MOST_BROWSERS:
            raise web.HTTPServiceUnavailable(text=f'{MOST_BROWSERS} browsers look already\n')
        socket = web.WebSocketResponse(
            heartbeat=HEARTBEAT_S, max_msg_size=MOST_BYTES, compress=False
        )
        await socket.prepare(request)
        await Browser(self._hub, socket).run()
        return socket


async def _add_headers(request: web.Request, response: web.StreamResponse) -> None:
    del request
    response.headers.update(HEADERS)
