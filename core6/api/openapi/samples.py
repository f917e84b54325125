"""Code samples for the schema, in three languages."""

import json
import re
from typing import Any, Final

#: The host in a schema made on the command line; a served schema has the host of its request.
HOST: Final = "https://core6.example.com"
_VARIABLE: Final = re.compile(r"<(\w+)>")
_PYTHON: Final = """\
import os

import requests

response = requests.request(
    "{method}",
    {address},
    headers={{"Authorization": f"Bearer {{os.environ['POSTHOG_PERSONAL_API_KEY']}}"}},
{body}    timeout=30,
)
print(response.status_code, response.text)"""
_JAVASCRIPT: Final = """\
const response = await fetch(`{address}`, {{
  method: "{method}",
  headers: {{
    Authorization: `Bearer ${{process.env.POSTHOG_PERSONAL_API_KEY}}`,
{body}}});
console.log(response.status, await response.text());"""


def samples(method: str, path: str, body: Any) -> list[dict[str, str]]:
    """Return the samples in the format of `x-codeSamples`.

    `<ID>` in a path becomes an environment variable, as does the key. None is no body.
    """
    address = HOST + path
    sources = {
        "Shell": _curl(method, address, body),
        "Python": _python(method, address, body),
        "JavaScript": _javascript(method, address, body),
    }
    return [{"lang": name, "source": source} for name, source in sources.items()]


def _curl(method: str, address: str, body: Any) -> str:
    url = _VARIABLE.sub(r"$\1", address)
    lines = [f'curl -X {method} -H "Authorization: Bearer $POSTHOG_PERSONAL_API_KEY"', f'"{url}"']
    if body is not None:
        lines.append(f"-H 'Content-Type: application/json' -d '{json.dumps(body)}'")
    return " \\\n  ".join(lines)


def _python(method: str, address: str, body: Any) -> str:
    url = _VARIABLE.sub(r"{os.environ['\1']}", address)
    quoted = f'"{url}"' if url == address else f'f"{url}"'
    return _PYTHON.format(method=method, address=quoted, body="" if body is None else f"    json={body!r},\n")


def _javascript(method: str, address: str, body: Any) -> str:
    url = _VARIABLE.sub(r"${process.env.\1}", address)
    sent = '    "Content-Type": "application/json",\n  }},\n  body: JSON.stringify({}),\n'
    rest = "  },\n" if body is None else sent.format(json.dumps(body))
    return _JAVASCRIPT.format(method=method, address=url, body=rest)
