from collections.abc import Iterator
from typing import Any

import pytest

from tests.attacks.marked_world import World, forgotten_at_the_end, make_world


@pytest.fixture(scope="module")
def world(django_db_setup: None, django_db_blocker: Any) -> Iterator[World]:
    """Everything as it is before each attack, which is taken back."""
    with django_db_blocker.unblock(), forgotten_at_the_end():
        yield make_world()
