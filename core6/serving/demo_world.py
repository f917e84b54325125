"""The demo world that serve makes on an empty database, and what it prints of it."""

from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.db import transaction

from core6.accounts import keys
from core6.accounts.models import PersonalAPIKey, User
from core6.database import data_directory
from core6.provisioning import world
from core6.provisioning.provision import acquire_provisioning_lock, provision
from core6.terminal.program import ROOT
from projects.models import Project

DEMO_WORLD = ROOT / "core6" / "demo" / "world.yaml"


def make_demo_world() -> None:
    """Make the demo world, unless another server that started on the same empty database was faster."""
    with transaction.atomic():
        acquire_provisioning_lock()
        if User.objects.exists():
            return
        demo = world.read(DEMO_WORLD.read_text())
        demo.users[0].password = _kept("demo_password", lambda: keys.token("", 96))
        provision(demo, values={"demo": _kept("demo_key", keys.generate)}, base=DEMO_WORLD.parent)


def first_of(made: dict[str, Any]) -> dict[str, Any]:
    """Return the first organization, project and key of what `provision` made, for the lines that `serve` prints."""
    organization: dict[str, Any] = next(iter(made["organizations"].values()), {})
    project: dict[str, Any] = next(iter(organization.get("projects", {}).values()), {})
    values = [key["value"] for key in made["api_keys"].values() if key["value"]]
    key = next(iter(values), None)
    return {"organization": organization.get("id"), "project": project.get("id"), "key": key, "console": ""}


def _kept(name: str, make: Callable[[], str]) -> str:
    """Return a secret of the demo world; written before the world, so that a kill between the two cannot lose it."""
    path = settings.DATA_DIRECTORY / name
    secret = data_directory.read_private(path) or make()
    data_directory.prepare(settings.DATA_DIRECTORY)
    data_directory.write_private(path, f"{secret}\n")
    return secret


def known_world() -> dict[str, Any]:
    """Return the demo key, if it still works, the first project that it reaches, and who may use the console."""
    value = data_directory.read_private(settings.DATA_DIRECTORY / "demo_key")
    password = data_directory.read_private(settings.DATA_DIRECTORY / "demo_password")
    key = PersonalAPIKey.objects.select_related("user").filter(secure_value=keys.digest(value or "")).first()
    projects = Project.objects.order_by("pk")
    if key:
        projects = projects.filter(organization__memberships__user=key.user)
    project = projects.first()
    return {
        "organization": project and project.organization_id,
        "project": project and project.pk,
        "key": value if key else None,
        "console": f", as {key.user} with the first password {password}" if key and password else "",
    }
