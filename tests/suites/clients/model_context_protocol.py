"""A client of servers of the Model Context Protocol that speak JSON-RPC over their standard input and output."""

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.suites.clients.conftest import environment


class McpServer:
    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self.process = process
        self.requests = 0
        client = {"name": "core6-client-test", "version": "1"}
        self.request("initialize", protocolVersion="2025-06-18", capabilities={}, clientInfo=client)
        self.send("notifications/initialized")

    def send(self, method: str, **more: Any) -> None:
        assert self.process.stdin
        print(json.dumps({"jsonrpc": "2.0", "method": method, **more}), file=self.process.stdin, flush=True)

    def request(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Return the result of one request; what the server sends besides is passed over."""
        self.requests += 1
        self.send(method, id=self.requests, params=parameters)
        assert self.process.stdout
        for line in self.process.stdout:
            answer = json.loads(line)
            if answer.get("id") == self.requests:
                return answer["result"]
        raise AssertionError("the server ended")

    def call(self, tool: str, **arguments: Any) -> Any:
        """Return the JSON that an agent reads."""
        result = self.request("tools/call", name=tool, arguments=arguments)
        assert not result["isError"], result
        return json.loads(result["content"][0]["text"])


@contextmanager
def mcp_server(*command: str | Path, **given: str) -> Iterator[McpServer]:
    """Run the server of a command; it ends when its input does."""
    with subprocess.Popen(
        command, env=environment(**given), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        yield McpServer(process)
    assert process.returncode == 0
