"""`serve --lab` is ready when its state is saved: no request of a test is lost to that, and every reset works."""

from tests.support.places import place
from tests.support.serving import LIGHT, Serve, wait_until


def test_a_client_resets_as_soon_as_the_ready_file_is_there():
    with place() as parent:
        server = Serve(parent / "data", *LIGHT, "--lab")
        try:
            wait_until((server.notes / "ready").exists, "ready file")
            status, answer = server.call("POST", "/_lab/reset", key="none")
            assert (status, list(answer)) == (200, ["milliseconds"])
        finally:
            server.end()
