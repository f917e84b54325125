import pytest
from django.core.exceptions import ImproperlyConfigured
from django.db import connection

from core6.management.commands.reencrypt_secrets import Command
from core6.security import encryption
from projects.models import Project
from tests.conftest import Caller, Cast

NEW, OLD = "a new long random text", "an old long random text"


def stored(cast: Cast) -> tuple[str | None, str | None]:
    """Return what the columns really hold."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT secret_api_token, secret_api_token_backup FROM projects_project WHERE id = %s", [cast.web.pk]
        )
        return cursor.fetchone()


def rotate(cast: Cast, alice: Caller) -> dict:
    return alice.patch(f"/api/projects/{cast.web.pk}/rotate_secret_token/", {}).json()


def test_secrets_are_not_readable_in_the_database(cast: Cast, alice: Caller):
    rotate(cast, alice)
    body = rotate(cast, alice)
    columns = stored(cast)
    assert None not in columns
    assert body["secret_api_token"] not in str(columns)
    assert body["secret_api_token_backup"] not in str(columns)
    cast.web.refresh_from_db()
    assert cast.web.secret_api_token == body["secret_api_token"]


def test_no_secret_is_null(cast: Cast):
    assert stored(cast) == (None, None)


def test_every_key_of_the_list_reads_and_the_first_writes(settings):
    settings.ENCRYPTION_KEYS = [OLD]
    written = encryption.encrypt("phs_secret")
    settings.ENCRYPTION_KEYS = [NEW, OLD]
    assert encryption.decrypt(written) == "phs_secret"
    again = encryption.encrypt("phs_secret")
    settings.ENCRYPTION_KEYS = [NEW]
    assert encryption.decrypt(again) == "phs_secret"
    with pytest.raises(ImproperlyConfigured, match="add the key that it was written with to ENCRYPTION_KEYS"):
        encryption.decrypt(written)


def test_a_key_can_be_changed_for_another(cast: Cast, alice: Caller, settings):
    settings.ENCRYPTION_KEYS = [OLD]
    rotate(cast, alice)
    body = rotate(cast, alice)
    settings.ENCRYPTION_KEYS = [NEW, OLD]
    assert Command().run({}) == "1 row with secrets written anew"
    settings.ENCRYPTION_KEYS = [NEW]
    project = Project.objects.get(pk=cast.web.pk)
    kept = (project.secret_api_token, project.secret_api_token_backup)
    assert kept == (body["secret_api_token"], body["secret_api_token_backup"])


def test_without_a_list_the_secret_key_encrypts(settings):
    settings.ENCRYPTION_KEYS = []
    written = encryption.encrypt("phs_secret")
    settings.ENCRYPTION_KEYS = [NEW]
    assert encryption.decrypt(written) == "phs_secret"
    settings.SECRET_KEY = OLD
    with pytest.raises(ImproperlyConfigured):
        encryption.decrypt(written)


def test_keys_of_purposes_are_apart(settings):
    keys = {encryption.signing_key(purpose) for purpose in ("live_events", "other")}
    assert len(keys) == 2
    settings.SECRET_KEY = OLD
    assert encryption.signing_key("live_events") not in keys


def test_secrets_show_to_members_and_never_in_activity_or_lists(cast: Cast, alice: Caller):
    secrets = [rotate(cast, alice)["secret_api_token"] for _ in range(2)]
    carol = cast.caller(cast.carol)
    assert carol.get(f"/api/projects/{cast.web.pk}/").json()["secret_api_token"] == secrets[1]
    for path in ("/api/projects/", f"/api/projects/{cast.web.pk}/activity/", "/api/users/@me/"):
        text = carol.get(path).content.decode()
        assert not [secret for secret in secrets if secret in text]
    assert cast.caller(cast.dave).get(f"/api/projects/{cast.web.pk}/").status_code == 404
