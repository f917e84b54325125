"""The three generators make clients of our schema that work, with every operation of the page: `make sdk-test`.

Each `call_by_*` program calls them all, and prints the names with the statuses.
"""

import shutil
import sys
from pathlib import Path

from tests.api.openapi.test_schema import PAGE, VERBS
from tests.suites.sdk.conftest import HERE, run


def expected() -> set[str]:
    lines = {"roles_retrieve 404"}
    for line in PAGE:
        method, resource, action, _, status, _ = line.split()
        name = f"{action}_{VERBS[method]}" if resource == "action" else f"{resource}_{action}"
        lines.add(f"{name} {status}")
    assert len(lines) == 19
    return lines


def test_openapi_python_client(schema: Path, environment: dict[str, str], tmp_path: Path):
    config = HERE / "openapi_python_client.yml"
    run("openapi-python-client", "generate", "--path", schema, "--config", config, "--fail-on-warning", cwd=tmp_path)
    program = HERE / "call_by_openapi_python_client.py"
    printed = run(sys.executable, program, cwd=tmp_path, PYTHONPATH=str(tmp_path / "core-6-client"), **environment)
    assert set(printed.splitlines()) == expected()


def test_openapi_generator(schema: Path, environment: dict[str, str], tmp_path: Path):
    run("openapi-generator-cli", "generate", "-g", "python", "-i", schema, "-o", "generated", cwd=tmp_path)
    program = HERE / "call_by_openapi_generator.py"
    printed = run(sys.executable, program, cwd=tmp_path, PYTHONPATH=str(tmp_path / "generated"), **environment)
    assert set(printed.splitlines()) == expected()


def test_hey_api_with_zod(schema: Path, environment: dict[str, str], tmp_path: Path):
    program = "call_by_hey_api"
    for name in ("package.json", "package-lock.json", "openapi-ts.config.mjs", f"{program}.ts"):
        shutil.copy(HERE / name, tmp_path)
    shutil.copy(schema, tmp_path)
    run("npm", "ci", "--no-audit", "--no-fund", cwd=tmp_path)
    binaries = tmp_path / "node_modules" / ".bin"
    run(binaries / "openapi-ts", cwd=tmp_path)
    # Our calls must have the types that the client declares, too.
    run(binaries / "tsc", "--strict", "--target", "es2022", "--module", "node16", f"{program}.ts", cwd=tmp_path)
    assert set(run("node", f"{program}.js", cwd=tmp_path, **environment).splitlines()) == expected()
