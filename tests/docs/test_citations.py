"""What comments and documents refer to exists: decisions by their numbers, and files and names of the code."""

import importlib
import re
import subprocess
from pathlib import Path

import pytest

from core6.settings import BASE_DIR

DOCUMENTS = BASE_DIR / "core6" / "docs"
_TRACKED = subprocess.run(["git", "ls-files"], cwd=BASE_DIR, capture_output=True, text=True, check=True).stdout.split()
TEXTS = [BASE_DIR / name for name in _TRACKED if name.endswith((".py", ".md", ".html", ".toml", ".yaml"))]
ARCHITECTURE = (DOCUMENTS / "architecture.md").read_text()


def decisions() -> set[str]:
    entries = re.findall(r"^- \*\*([DE][^,]+),", (DOCUMENTS / "decisions.md").read_text(), re.MULTILINE)
    return {number for entry in entries for number in re.findall(r"[DE]\d+", entry)}


def test_every_decision_that_is_cited_is_written_down():
    known = decisions()
    assert len(known) > 70
    cited = {
        (path.name, number)
        for path in TEXTS
        if path.name != "pyproject.toml"  # whose rules of the linter are called so, too
        for number in re.findall(r"(?<![\w.])[DE]\d{1,2}(?!\w)", re.sub(r"noqa: [\w, ]+", "", path.read_text()))
    }
    assert {each for each in cited if each[1] not in known} == set()


def test_nothing_refers_to_a_document_outside():
    outside = re.compile(r"contract/\w+\.md|\(contract [A-Z]")
    assert [path for path in TEXTS if path != Path(__file__) and outside.search(path.read_text())] == []


FILES = re.findall(r"`((?:core6|projects|roles|annotations|cohorts|tests)/[\w./]+)`", ARCHITECTURE)
STEPS = re.findall(r"`([\w/]+\.py)::([\w.]+)`", ARCHITECTURE)


@pytest.mark.parametrize("name", sorted(set(FILES)))
def test_every_file_of_the_architecture_exists(name: str):
    assert (BASE_DIR / name).exists()


@pytest.mark.parametrize(("file", "name"), sorted(set(STEPS)))
def test_every_step_of_the_architecture_exists(file: str, name: str):
    found = importlib.import_module(file.removesuffix(".py").replace("/", "."))
    for part in name.split("."):
        found = getattr(found, part)
