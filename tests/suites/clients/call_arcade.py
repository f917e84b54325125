"""Calls tools of arcade-posthog-api, all in one event loop as its HTTP client demands.

Reads lines of JSON, `[tool, body or null, arguments]`; answers each by a line with the outcome.
"""

import asyncio
import json
import os
import sys
from typing import Any

from arcade_posthog_api import tools  # type: ignore[import-not-found]
from arcade_tdk import ToolContext  # type: ignore[import-not-found]
from arcade_tdk.errors import ToolRuntimeError  # type: ignore[import-not-found]

SECRETS = ("POSTHOG_SERVER_URL", "POSTHOG_PERSONAL_API_KEY")
context = ToolContext(secrets=[{"key": name, "value": os.environ[name]} for name in SECRETS])


async def outcome(name: str, body: Any, arguments: dict[str, Any]) -> Any:
    if body is not None:
        arguments |= {"mode": tools.ToolMode.EXECUTE, "request_body": json.dumps(body)}
    try:
        return await getattr(tools, name)(context, **arguments)
    except ToolRuntimeError as error:
        return {"refused": f"{error.message} {error.developer_message}"}


async def main() -> None:
    for line in iter(sys.stdin.readline, ""):
        print(json.dumps(await outcome(*json.loads(line))), flush=True)  # noqa: T201  # the test reads it


asyncio.run(main())
