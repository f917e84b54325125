"""A proxy in front of the server, set up as core6/docs/operation.md and docker-compose.yml say."""

import json
import os
import re
import shutil
import socket
import ssl
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import pytest

from core6.database import embedded
from core6.serving.ports import free_port
from core6.settings import DATA_UPLOAD_MAX_MEMORY_SIZE
from tests.support.documents import changed, files
from tests.support.places import place
from tests.support.serving import LIGHT, PATIENCE, Serve, serving, wait_until
from tests.support.settings import SECRET
from tests.test_containers import proxy

HOST = "core6.example.com"
_FILE = files()["/etc/nginx/conf.d/core6.conf"]
_SETTINGS = {"IS_BEHIND_PROXY": "true", "ALLOWED_HOSTS": HOST}
#: What nginx needs to run on its own, besides what the documentation says.
_MAIN = """
worker_processes 1;
daemon off;
pid {0}/pid;
error_log {0}/error.log;
events {{}}
http {{
    access_log off;
    client_body_temp_path {0}/body;
    proxy_temp_path {0}/proxy;
    fastcgi_temp_path {0}/fastcgi;
    uwsgi_temp_path {0}/uwsgi;
    scgi_temp_path {0}/scgi;
    {1}
}}
"""


def tool(name: str) -> str:
    found = shutil.which(name, path=f"{os.environ['PATH']}:/usr/sbin")
    assert found, f"{name} is missing: install the package '{name}' (apt-get install {name})"
    return found


@contextmanager
def nginx(directory: Path, configuration: str, port: int) -> Iterator[None]:
    (directory / "nginx.conf").write_text(_MAIN.format(directory, configuration))
    options = ["-e", str(directory / "error.log"), "-c", str(directory / "nginx.conf")]
    process = subprocess.Popen([tool("nginx"), *options])
    try:
        wait_until(lambda: is_open(port), "nginx", 10)
        yield
    finally:
        process.terminate()
        process.wait(PATIENCE)


def is_open(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


class Site:
    """A server behind nginx with TLS, and how clients of its public address reach it."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.server = Serve(directory / "data", **_SETTINGS).ready()
        self.address = urlsplit(self.server.url).netloc
        self.port = free_port("127.0.0.1", 0)
        self.certificate = directory / "fullchain.pem"
        key = directory / "privkey.pem"
        made = ["-newkey", "rsa:2048", "-nodes", "-keyout", str(key), "-out", str(self.certificate), "-days", "2"]
        named = ["-subj", f"/CN={HOST}", "-addext", f"subjectAltName=DNS:{HOST}"]
        subprocess.run([tool("openssl"), "req", "-x509", *made, *named], check=True, capture_output=True)
        self.configuration = changed(
            _FILE,
            {
                "127.0.0.1:8000": self.address,
                "listen 443": f"listen 127.0.0.1:{self.port}",
                f"/etc/letsencrypt/live/{HOST}": str(directory),
            },
        )
        self.url = f"https://{HOST}:{self.port}"
        self.annotations = f"{self.url}{self.server.annotations}"

    def start_again(self) -> None:
        self.server.end()
        self.server = Serve(self.directory / "data", "--port", self.address.rpartition(":")[2], **_SETTINGS).ready()

    def curl(self, url: str, *arguments: str) -> tuple[int, dict[str, str], str]:
        """Return status, headers and body of an answer; what is wrong with TLS is an error."""
        where = ["--cacert", str(self.certificate), "--resolve", f"{HOST}:{self.port}:127.0.0.1"]
        given = ["--header", f"Authorization: Bearer {self.server.printed('API key')}", "--max-time", "30"]
        command = [tool("curl"), "--silent", "--show-error", "--include", *where, *given, *arguments, url]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        head, _, body = re.sub(r"^HTTP/1.1 100.*?\n\n", "", done.stdout, flags=re.DOTALL).partition("\n\n")
        lines = head.splitlines()
        return int(lines[0].split()[1]), dict(line.lower().split(": ", 1) for line in lines[1:]), body

    def connect(self) -> ssl.SSLSocket:
        context = ssl.create_default_context(cafile=str(self.certificate))
        plain = socket.create_connection(("127.0.0.1", self.port), timeout=60)
        return context.wrap_socket(plain, server_hostname=HOST)


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    with place() as directory:
        made = Site(directory)
        try:
            with nginx(directory, made.configuration, made.port):
                yield made
        finally:
            made.server.end()


def test_links_are_those_of_the_public_address(site: Site):
    for content in ("one", "two", "three"):
        status, _, _ = site.curl(site.annotations, "--data", f"content={content}")
        assert status == 201
    # What a client says of itself is not believed.
    lies = ["--header", "X-Forwarded-Host: evil.example.com", "--header", "X-Forwarded-Proto: http"]
    status, _, body = site.curl(f"{site.annotations}?limit=2", *lies)
    first = json.loads(body)
    assert (status, first["next"]) == (200, f"{site.annotations}?limit=2&offset=2")
    _, _, body = site.curl(first["next"])
    assert json.loads(body)["previous"] == f"{site.annotations}?limit=2"
    assert len(json.loads(body)["results"]) == 1


def test_browsers_are_sent_to_https(site: Site):
    _, headers, _ = site.curl(site.annotations)
    assert headers["strict-transport-security"] == "max-age=31536000"


def test_another_host_is_refused(site: Site):
    status, _, _ = site.curl(site.annotations, "--header", "Host: evil.example.com")
    assert status == 400


def cut_off(site: Site, begun: bytes, drop: bytes) -> float:
    """Begin a request, go on a byte a second, and return after how many seconds it was cut off."""
    began = time.monotonic()
    with closing(site.connect()) as slow:
        slow.sendall(begun)
        slow.settimeout(1)
        while time.monotonic() - began < 30:
            try:
                slow.sendall(drop)
                answer = slow.recv(1000)
            except TimeoutError:
                continue
            except OSError:
                break
            assert answer == b"" or answer.startswith(b"HTTP/1.1 408"), answer
            break
        return time.monotonic() - began


@pytest.mark.parametrize(
    ("setting", "begun", "drop"),
    [
        ("client_header_timeout", b"GET /api/users/@me/ HTTP/1.1\r\nX-Slow: ", b"x"),
        ("client_body_timeout", b"POST /api/x/ HTTP/1.1\r\nHost: %b\r\nContent-Length: 9\r\n\r\n" % HOST.encode(), b""),
    ],
)
def test_a_slow_client_is_cut_off(site: Site, setting: str, begun: bytes, drop: bytes):
    """A head that comes byte by byte, and a body that does not come."""
    found = re.search(rf"{setting} (\d+)s;", _FILE)
    assert found
    assert int(found[1]) - 1 < cut_off(site, begun, drop) < int(found[1]) + 3


def test_slow_clients_hold_up_nobody(site: Site):
    """More of them than the server has threads, in the midst of bodies: nginx keeps these until they are whole."""
    with ExitStack() as stack:
        for _ in range(20):
            slow = stack.enter_context(closing(site.connect()))
            path = urlsplit(site.annotations).path
            head = f"POST {path} HTTP/1.1\r\nHost: {HOST}:{site.port}\r\nContent-Length: 100\r\n"
            slow.sendall(f"{head}Authorization: Bearer {site.server.printed('API key')}\r\n\r\ncontent".encode())
        time.sleep(1)
        began = time.monotonic()
        assert [site.curl(site.annotations)[0] for _ in range(5)] == [200] * 5
        assert time.monotonic() - began < 3


@pytest.mark.parametrize(("over", "status"), [(0, 400), (1, 413)])
def test_a_body_may_be_as_large_as_the_server_allows(site: Site, tmp_path: Path, over: int, status: int):
    (tmp_path / "body").write_bytes(b'"' + b"x" * (DATA_UPLOAD_MAX_MEMORY_SIZE - 2 + over) + b'"')
    found, _, _ = site.curl(
        site.annotations, "--header", "Content-Type: application/json", "--data-binary", f"@{tmp_path / 'body'}"
    )
    assert found == status


def test_a_server_that_is_away_is_reported_and_found_again(site: Site):
    assert site.server.stop() == 0
    assert site.curl(site.annotations)[0] in (502, 503)
    site.start_again()
    wait_until(lambda: site.curl(site.annotations)[0] == 200, "server behind the proxy", 20)


@pytest.fixture
def containers() -> Iterator[tuple[int, int, list[Serve]]]:
    """Two servers on one Postgres behind the proxy of docker-compose.yml; its names are of Docker, these are not."""
    with place() as directory, ExitStack() as stack:
        postgres = embedded.Server(directory / "postgres", is_durable=False)
        postgres.start()
        stack.callback(postgres.stop)
        password = (directory / "postgres" / "pgpass").read_text().strip().rsplit(":", 1)[1]
        at = embedded.socket_directory(directory / "postgres")
        url = f"postgres://core6:{quote(password, safe='')}@/{at}/core6"
        given = {"DATABASE_URL": url, "SECRET_KEY": SECRET, "IS_BEHIND_PROXY": "true"}
        servers = [stack.enter_context(serving(directory / f"web{n}", *LIGHT, **given)) for n in range(2)]
        port, console = free_port("127.0.0.1", 0), free_port("127.0.0.1", 0)
        addresses = "".join(f"server {urlsplit(each.url).netloc};" for each in servers)
        # To look a name up for an upstream takes nginx 1.27.3, which distributions may not have yet.
        changes = {"resolver 127.0.0.11 valid=2s;": "", "server web:8000 resolve;": addresses}
        text = proxy(PORT=str(port), CONSOLE_PORT=str(console))
        stack.enter_context(nginx(directory, changed(text, changes), port))
        yield port, console, servers


def status(url: str) -> int:
    command = [tool("curl"), "--silent", "--path-as-is", "--output", os.devnull, "--write-out", "%{http_code}", url]
    return int(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


def test_the_console_is_closed_to_the_outside(site: Site):
    for path in ("/admin", "/admin/", "/admin/login/", "//admin/login/", "/%61dmin/login/", "/api/../admin/login/"):
        assert site.curl(f"{site.url}{path}", "--path-as-is")[0] == 404, path
    assert status(f"http://127.0.0.1:{site.address.rpartition(':')[2]}/admin/login/") == 400, "its host is not allowed"


def test_the_console_of_the_containers_has_a_port_of_its_own(containers: tuple[int, int, list[Serve]]):
    port, console, _ = containers
    assert status(f"http://127.0.0.1:{port}/admin/login/") == 404
    assert status(f"http://127.0.0.1:{console}/admin/login/") == 200
    assert status(f"http://127.0.0.1:{port}/api/users/@me/") == 401


def test_the_proxy_of_the_containers_goes_on_with_the_server_that_is_left(containers: tuple[int, int, list[Serve]]):
    port, _, servers = containers
    (key,) = [key for server in servers if (key := server.printed("API key")).startswith("phx_")]
    url = f"http://127.0.0.1:{port}{servers[0].annotations}"

    def ask() -> Any:
        command = [tool("curl"), "--silent", "--fail", "--header", f"Authorization: Bearer {key}", f"{url}?limit=1"]
        return json.loads(subprocess.run(command, capture_output=True, check=True).stdout)

    for content in ("one", "two"):
        command = [tool("curl"), "--silent", "--fail", "--header", f"Authorization: Bearer {key}"]
        subprocess.run([*command, "--data", f"content={content}", url], check=True, capture_output=True)
    assert {ask()["next"] for _ in range(10)} == {f"{url}?limit=1&offset=1"}
    assert servers[0].stop() == 0
    assert {ask()["count"] for _ in range(20)} == {2}
