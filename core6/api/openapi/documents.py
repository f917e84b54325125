"""The documents in core6/docs, as pages."""

from functools import cache
from pathlib import Path
from typing import Any, Final

from django.http import Http404
from django.utils.safestring import SafeString
from django.views.generic import TemplateView
from markdown_it import MarkdownIt

from core6.terminal.program import ROOT

_DIRECTORY: Final = ROOT / "core6" / "docs"


class DocumentView(TemplateView):
    """`/docs/:name/`: one document; 404 for a name that core6/docs does not have."""

    template_name = "core6/document.html"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        name = kwargs["name"]
        if name not in titles():
            raise Http404
        return {"title": titles()[name], "content": _rendered(name)}


@cache
def titles() -> dict[str, str]:
    """Return the title of each document by its name, such as `operation`."""
    return {path.stem: _title(path) for path in sorted(_DIRECTORY.glob("*.md"))}


def _title(path: Path) -> str:
    with path.open() as file:
        return file.readline().removeprefix("#").strip()


@cache
def _rendered(name: str) -> SafeString:
    """Return the HTML of a document of this release; markup of its own is shown as text."""
    renderer = MarkdownIt("commonmark", {"html": False}).enable("table")
    return SafeString(renderer.render((_DIRECTORY / f"{name}.md").read_text()))
