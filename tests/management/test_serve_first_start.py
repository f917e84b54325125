from tests.support.places import place
from tests.support.serving import Serve


def test_a_ready_file_of_an_earlier_start_is_gone_until_requests_are_answered():
    with place() as parent:
        old = parent / "ready"
        old.write_text("of an earlier start")
        server = Serve(parent / "data", "--ready-file", str(old))
        try:
            server.reach((parent / "data").exists)
            assert not old.exists()
        finally:
            server.end()
