"""What is of Linux alone is left out elsewhere."""

from tests.support.settings import python

#: Makes Python look like that of macOS, before anything of ours is loaded.
MACOS = "import socket, sys; sys.platform = 'darwin'; del socket.TCP_USER_TIMEOUT;"


def test_a_child_starts_where_the_kernel_sends_no_signal_at_the_end_of_its_parent():
    code = f"""{MACOS}
import signal
from core6.database import processes
child = processes.spawn(["sleep", "60"], on_parent_death=signal.SIGKILL)
print(child.poll())
processes.stop(child, signal.SIGTERM, 5)
print(child.returncode)
"""
    done = python(code)
    assert (done.stdout, done.stderr) == (f"None\n{-15}\n", "")


def test_no_timeout_of_readers_is_set_where_sockets_have_none():
    code = f"""{MACOS}
import asyncio
from core6.serving.readers import cut_stalled_readers
loop = asyncio.new_event_loop()
cut_stalled_readers(loop)
loop.close()
print("passed")
"""
    done = python(code)
    assert (done.stdout, done.stderr) == ("passed\n", "")
