"""A change of the key covers every encrypted field of every model: rotation, `verify` and `restore`."""

from typing import Any

import pytest
from django.apps import apps
from django.core.management import CommandError
from django.db import connection, models

from core6.diagnosis import integrity
from core6.management.commands import restore
from core6.management.commands.reencrypt_secrets import Command
from core6.security.encryption import EncryptedField
from tests.conftest import Caller, Cast
from tests.diagnosis.test_verify import World, make_world

OLD, NEW = "an old long random text", "a new long random text"
FIELDS = [
    pytest.param(model, field.name, id=f"{model._meta.label}.{field.name}")
    for model in apps.get_models(include_auto_created=True)
    for field in model._meta.get_fields()
    if isinstance(field, EncryptedField)
]

Model = type[models.Model]


@pytest.fixture
def world(cast: Cast, alice: Caller, settings: Any) -> World:
    """Make a world with a row of every encrypted field, written with the old key."""
    settings.ENCRYPTION_KEYS = [OLD]
    return make_world(cast, alice)


def values(model: Model, name: str) -> dict[Any, str]:
    return dict(model._base_manager.exclude(**{name: None}).values_list("pk", name))


def unreadable() -> list[str]:
    return next(each.examples for each in integrity.findings() if each.name == "secrets")


def test_at_least_three_fields_are_encrypted():
    assert len(FIELDS) >= 3


@pytest.mark.parametrize(("model", "name"), FIELDS)
def test_rotation_writes_each_field_anew(world: World, settings: Any, model: Model, name: str):
    before = values(model, name)
    assert before, f"make_world makes no row with {name}"
    settings.ENCRYPTION_KEYS = [NEW, OLD]
    Command().run({})
    settings.ENCRYPTION_KEYS = [NEW]
    assert values(model, name) == before
    assert unreadable() == []


@pytest.mark.parametrize(("model", "name"), FIELDS)
def test_verify_and_restore_name_each_field_of_another_key(world: World, settings: Any, model: Model, name: str):
    key = next(iter(values(model, name)))
    settings.ENCRYPTION_KEYS = [NEW, OLD]
    Command().run({})
    with connection.cursor() as cursor:
        statement = f"UPDATE {model._meta.db_table} SET {name} = %s WHERE id = %s"
        cursor.execute(statement, ["written with a key that is gone", key])
    assert unreadable() == [f"{model._meta.verbose_name} {key}"]
    with pytest.raises(CommandError, match="secrets in them were encrypted with another key"):
        restore.integrity_summary(integrity.findings())
    with pytest.raises(CommandError, match=rf"1 of \d+ rows cannot be decrypted \({model._meta.verbose_name} {key} "):
        Command().run({})


def test_what_the_secret_key_wrote_is_read_and_written_anew(cast: Cast, alice: Caller, settings: Any):
    settings.ENCRYPTION_KEYS = []
    make_world(cast, alice)
    settings.ENCRYPTION_KEYS = [NEW]
    assert unreadable() == []
    Command().run({})
    settings.SECRET_KEY = OLD
    assert unreadable() == []
