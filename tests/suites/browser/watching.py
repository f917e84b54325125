"""A page that notes its requests, its errors, and how it looked."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from playwright.sync_api import Browser, ConsoleMessage, Locator, Page, Request, Response, WebError

#: A name of the server that is not the machine's own: some scripts do more on a public host.
PUBLIC_NAME = "core6.test"


@dataclass
class Watched:
    """A page, the URL of every request, and everything that was not as it should be."""

    page: Page
    pictures: Path
    urls: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        # Of the context, which hears workers and opened windows, too.
        context = self.page.context
        context.on("request", self._note_request)
        context.on("response", self._note_response)
        context.on("requestfailed", self._note_failure)
        context.on("console", self._note_message)
        context.on("weberror", self._note_exception)

    def _note_request(self, request: Request) -> None:
        self.urls.append(request.url)

    def _note_response(self, response: Response) -> None:
        if response.status >= 400:
            self.complaints.append(f"{response.status}: {response.url}")

    def _note_failure(self, request: Request) -> None:
        self.complaints.append(f"failed: {request.url}")

    def _note_message(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self.complaints.append(f"{message.type}: {message.text}")

    def _note_exception(self, error: WebError) -> None:
        self.complaints.append(f"exception: {error.error}")

    def hosts(self) -> set[str]:
        """Return the hosts that were called; a blob, such as a worker's script, belongs to the page's."""
        return {urlsplit(url.removeprefix("blob:")).netloc for url in self.urls if not url.startswith("data:")}

    def picture(self, name: str, part: Locator | None = None) -> None:
        (part or self.page).screenshot(path=self.pictures / f"{name}.png")


@contextmanager
def watching(browser: Browser, pictures: Path, **options: Any) -> Iterator[Watched]:
    with browser.new_context(**options) as context:
        context.set_default_timeout(15_000)
        yield Watched(context.new_page(), pictures)
