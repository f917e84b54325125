import subprocess
import sys
from pathlib import Path

from core6.settings import BASE_DIR
from tests.support.serving import environment

SERVE = """
import os, signal, sys
import django
django.setup()
from core6.database.data_directory import Unusable
from core6.database.embedded import Server
from core6.management.commands.serve import Command

def ask_to_stop(*_):
    os.kill(os.getpid(), signal.SIGTERM)

def fail(*_):
    raise Unusable("the reason")

{0}
Command(stdout=sys.stdout, stderr=sys.stderr).run_from_argv(["manage.py", "serve", "--port", "0"])
"""


def serve(directory: Path, change: str) -> "subprocess.CompletedProcess[str]":
    """Run a `serve` of which something is changed."""
    given = environment(directory, {"DJANGO_SETTINGS_MODULE": "core6.settings"})
    command = [sys.executable, "-c", SERVE.format(change)]
    return subprocess.run(command, cwd=BASE_DIR, env=given, capture_output=True, text=True, timeout=30, check=False)


def test_a_signal_in_a_finaliser_is_not_lost(tmp_path: Path):
    # Python drops what is raised there, as it does around a fork.
    done = serve(tmp_path, "Command._start = lambda *_: type('Last', (), {'__del__': ask_to_stop})() and None")
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr


def test_a_signal_after_a_failure_does_not_hide_its_reason(tmp_path: Path):
    done = serve(tmp_path, "Command._start = fail; Server.stop = ask_to_stop")
    assert (done.returncode, done.stderr) == (1, "CommandError: the reason\n")
