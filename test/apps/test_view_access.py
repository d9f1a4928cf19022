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

"""Who may use the page of `cfrnet-view`."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from cfrnet_ros.apps.view.access import Access, is_loopback, new_token
from cfrnet_ros.apps.view.arguments import asks_by_itself, parse


@pytest.mark.parametrize(
    ('host', 'here', 'everywhere'),
    [
        ('127.0.0.1:8420', True, True),
        ('localhost:9000', True, True),
        ('LOCALHOST', True, True),
        ('[::1]:8420', True, True),
        ('robot.example:8420', True, True),
        ('192.168.1.20:8420', False, True),
        ('[fe80::1]:8420', False, True),
        (socket.gethostname(), False, True),
        ('evil.example:8420', False, False),
        ('127.0.0.1.evil.example', False, False),
        ('localhost.evil.example:8420', False, False),
        ('localhost:port', False, False),
        ('evil.example@127.0.0.1', False, False),
        ('127.0.0.1/evil.example', False, False),
        ('[::1', False, False),
        ('', False, False),
    ],
)
def test_only_names_of_this_machine_are_answered_to(
    host: str, here: bool, everywhere: bool
) -> None:
    assert Access('127.0.0.1', names=['robot.example']).is_host(host) == here
    assert Access('0.0.0.0', 'x' * 16, ['robot.example']).is_host(host) == everywhere


@pytest.mark.parametrize(
    ('origin', 'right'),
    [
        ('http://127.0.0.1:8420', True),
        ('https://127.0.0.1:8420', True),
        ('http://127.0.0.1:8421', False),
        ('http://evil.example', False),
        ('file://127.0.0.1:8420', False),
        ('null', False),
        (None, False),
    ],
)
def test_only_the_pages_own_origin_may_connect(origin: str | None, right: bool) -> None:
    assert Access('127.0.0.1').is_origin(origin, '127.0.0.1:8420') == right


def test_token_and_cookie_are_of_one_run_of_the_server() -> None:
    token = new_token()
    access, other = Access('0.0.0.0', token), Access('0.0.0.0', token)
    assert access.is_token(token)
    for wrong in ('', token[:-1], token + 'x', 'ä' * 32):
        assert not access.is_token(wrong)
        assert not access.is_cookie(wrong)
    assert access.is_cookie(access.cookie)
    assert not access.is_cookie(token)
    assert not other.is_cookie(access.cookie)
    assert not access.is_cookie(None)
    assert new_token() != token


def test_no_token_opens_a_page_that_asks_for_none() -> None:
    access = Access('127.0.0.1')
    assert access.is_cookie(None)
    assert not access.is_token('')


def test_a_token_is_asked_for_where_others_can_connect() -> None:
    for address, asks in (
        ('127.0.0.1', False), ('127.8.8.8', False), ('::1', False), ('0.0.0.0', True), ('::', True),
        ('192.168.1.20', True),
    ):  # fmt: skip
        assert asks_by_itself(address) == asks
    assert is_loopback('localhost')
    assert not is_loopback('robot.example')


def test_wrong_command_lines_are_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / 'short').write_text('secret\n')
    for arguments, said in (
        (['--host', 'robot.example'], 'no address in numbers'),
        (['--port', '70000'], '--port'),
        (['--topic', '/image'], 'is for --bag'),
        (['--token-file', str(tmp_path / 'short')], 'at least 16 characters'),
        (['--token-file', str(tmp_path / 'nowhere')], 'No such file'),
    ):
        with pytest.raises(SystemExit) as ended:
            parse(arguments)
        assert ended.value.code == 2
        assert said in capsys.readouterr().err
    (tmp_path / 'long').write_text('correct horse battery staple\n')
    assert parse(['--token-file', str(tmp_path / 'long')]).token == 'correct horse battery staple'
    assert parse(['--host', 'localhost']).host == '127.0.0.1'
