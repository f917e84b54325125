from typing import Any

import pytest

from core6.security import exposure


@pytest.mark.parametrize(
    ("allowed", "url", "option"),
    [
        (["localhost", "127.0.0.1", "[::1]"], "http://127.0.0.1:8000", ""),
        (["localhost", "127.0.0.1", "[::1]"], "http://[::1]:8000", ""),
        (["*"], "http://127.0.0.1:8000", ""),
        (["api.example.com"], "http://127.0.0.1:8000", '-H "Host: api.example.com" '),
        ([".example.com"], "http://127.0.0.1:8000", '-H "Host: example.com" '),
    ],
)
def test_the_line_to_paste_names_an_allowed_host(settings: Any, allowed: list[str], url: str, option: str):
    settings.ALLOWED_HOSTS = allowed
    assert exposure.host_header(url) == option
