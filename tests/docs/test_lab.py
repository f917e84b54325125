"""core6/docs/lab.md and the README of pytest-core6: their examples in Python pass, their curl lines answer as shown."""

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from core6.settings import BASE_DIR
from tests.support.places import place
from tests.support.plugin import PLUGIN, python_in, run
from tests.support.serving import PATIENCE, serving

PAGE = BASE_DIR / "core6" / "docs" / "lab.md"
_SHELL = re.compile(r"^```sh\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def steps() -> list[tuple[str, str]]:
    """Return each line of the shell with the answer below it, "" for none; the first ones set variables."""
    lines = "".join(_SHELL.findall(PAGE.read_text())).splitlines()
    return [
        (line, following.removeprefix("# ") if following.startswith("# ") else "")
        for line, following in zip(lines, [*lines[1:], ""], strict=True)
        if not line.startswith("# ")
    ]


def agrees(shown: str, answer: str) -> bool:
    """Return whether an answer is the JSON that the page shows, with anything in place of `…`."""
    text = answer and json.dumps(json.loads(answer), ensure_ascii=False)
    return re.fullmatch(re.escape(shown).replace("…", ".*"), text) is not None


def test_each_operation_has_lines_in_the_shell():
    text = "\n".join(line for line, _ in steps())
    operations = re.findall(r"^\| `([A-Z`, ]+) /_lab/(\w+)`", PAGE.read_text(), re.MULTILINE)
    assert {name for _, name in operations} == {"reset", "provision", "settle", "faults", "requests", "clock", "strict"}
    assert [name for _, name in operations if f"$U/_lab/{name}" not in text] == []


@pytest.mark.skipif(not shutil.which("curl"), reason="needs curl")
def test_the_curl_lines_answer_as_shown():
    with place() as directory, serving(directory / "data", "--lab", "--workers", "1") as server:
        settings = ""
        for line, shown in steps():
            if not line.startswith("curl"):
                settings += f"{line.replace('http://127.0.0.1:8000', server.url)}\n"
                settings = settings.replace("phx_…", server.printed("API key"))
                continue
            done = subprocess.run(
                ["bash", "-c", f"{settings}{line}"], capture_output=True, text=True, timeout=PATIENCE, check=False
            )
            assert done.returncode == 0, (line, done)
            assert agrees(shown, done.stdout), (line, shown, done.stdout)
        assert server.complaints() == []


def test_the_examples_of_the_plugin_pass(tmp_path: Path):
    """All at once, since a server takes seconds to start: those of both pages, and the directory of examples."""
    for name, page in {"lab": PAGE, "readme": PLUGIN / "README.md"}.items():
        (tmp_path / f"test_{name}.py").write_text(python_in(page))
    shutil.copy(PLUGIN / "example" / "test_example.py", tmp_path)
    with place() as temporary:
        done = run(tmp_path, temporary, "-q", str(tmp_path))
        assert done.returncode == 0, done.stdout + done.stderr
        tests = sum(path.read_text().count("\ndef test_") for path in tmp_path.glob("test_*.py"))
        passed = re.search(r"^(\d+) passed", done.stdout, re.MULTILINE)
        assert passed, done.stdout
        assert int(passed[1]) > tests
        assert list(temporary.iterdir()) == []
