"""A release has one version: of the server, of the plugin, and of the newest section of the changelog."""

import re
import tomllib

from core6.settings import BASE_DIR


def version(*folders: str) -> str:
    file = BASE_DIR.joinpath(*folders, "pyproject.toml")
    return str(tomllib.loads(file.read_text())["project"]["version"])


def test_the_versions_are_the_same():
    assert version() == version("tests", "plugin")
    sections = re.findall(r"^## (.+)$", (BASE_DIR / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert re.fullmatch(re.escape(version()) + r" \((not released yet|\d{4}-\d\d-\d\d)\)", sections[0])
