"""Both commands of README where people clone: `make clone-test`. It needs nothing but Python, git and root.

Options are those of pytest, for `make test` in each clone.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from urllib.request import Request, urlopen

ROOT = Path(__file__).resolve().parent.parent.parent
#: An account without rights of its own, which every system has.
NOBODY = 65534
AS_NOBODY = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"]
#: By name: the mode of the directory that holds the clone, and what goes before each command.
PLACES = {
    "root, where only root can enter": (0o700, []),
    "root, where everybody can enter": (0o755, []),
    "an ordinary user": (0o755, AS_NOBODY),
}


def main() -> int:
    """Try each place; return 0 when both commands work in all."""
    failed = []
    for name, (mode, before) in PLACES.items():
        parent = Path(tempfile.mkdtemp(prefix="core6-clone-"))
        parent.chmod(mode)
        try:
            print(f"{name}: {parent}", flush=True)
            if not try_in(parent, before):
                failed.append(name)
        finally:
            shutil.rmtree(parent, ignore_errors=True)
    print("\n".join([f"failed as {name}" for name in failed] or ["both commands work in all three places"]))
    return 1 if failed else 0


def try_in(parent: Path, before: list[str]) -> bool:
    clone = parent / "core6"
    subprocess.run(["git", "clone", "--quiet", str(ROOT), str(clone)], check=True)
    if before:
        for path in (parent, clone, *clone.rglob("*")):
            os.chown(path, NOBODY, NOBODY, follow_symlinks=False)
    # Caches of installers go where this account can write.
    environment = {**os.environ, "HOME": str(parent), "TMPDIR": tempfile.gettempdir()}
    environment.pop("CORE6_DATA_DIR", None)
    python = python_for(before)
    suite = ["make", "test", f"PYTHON={python}", f"ARGS={' '.join(sys.argv[1:])}"]
    done = subprocess.run([*before, *suite], cwd=clone, env=environment, check=False)
    return done.returncode == 0 and serves(clone, before, environment, parent / "ready", python)


def python_for(before: list[str]) -> str:
    """Return this Python, or the system's where the account may not run this one."""
    for python in (sys.executable, "/usr/bin/python3"):
        # By a shell, as make runs it: what setpriv starts itself still has rights of root.
        tried = [*before, "sh", "-c", f"{python} -m pip --version"]
        if subprocess.run(tried, capture_output=True, check=False).returncode == 0:
            return python
    raise SystemExit("error: no Python with pip that every account may run: install python3-pip")


def serves(clone: Path, before: list[str], environment: dict[str, str], ready: Path, python: str) -> bool:
    """Start the server by `make run`, make an annotation with the key that it prints, and stop it."""
    log = clone.parent / "stdout"
    command = [*before, "make", "run", "PORT=0", f"ARGS=--ready-file {ready}", f"PYTHON={python}"]
    with log.open("w") as output:
        process = subprocess.Popen(command, cwd=clone, env=environment, stdout=output, start_new_session=True)
    try:
        deadline = time.monotonic() + 120
        while not (ready.exists() and "curl" in log.read_text()):
            if process.poll() is not None or time.monotonic() > deadline:
                print(f"make run did not start: {log.read_text()}")
                return False
            time.sleep(0.1)
        url = json.loads(ready.read_text())["url"]
        words = log.read_text().split()
        headers = {"Authorization": f"Bearer {words[words.index('key') + 1]}", "Content-Type": "application/json"}
        sent = Request(f"{url}/api/projects/@current/annotations/", b'{"content": "x"}', headers)  # ours
        with urlopen(sent, timeout=30) as answer:  # as above
            print(f"make run: {url} answered {answer.status}", flush=True)
            return answer.status == 201
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait(20)


if __name__ == "__main__":
    sys.exit(main())
