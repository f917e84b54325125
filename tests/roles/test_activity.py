from core6.activity.models import ActivityLog
from tests.conftest import Caller, Cast


def changes() -> list[tuple[str, str, str, list[str]]]:
    """Return scope, activity, name and changed fields of every row, oldest first."""
    return [
        (row.scope, row.activity, row.detail["name"], [each["field"] for each in row.detail["changes"] or []])
        for row in ActivityLog.objects.order_by("created_at", "id")
    ]


def test_changes_of_a_role_and_of_its_members_are_logged(cast: Cast, alice: Caller):
    path = f"/api/organizations/{cast.acme.pk}/roles/"
    role = alice.post(path, {"name": "Engineering"}).json()["id"]
    alice.patch(f"{path}{role}/", {"name": "Builders"})
    alice.patch(f"{path}{role}/", {"name": "Builders"})  # which changes nothing
    members = f"{path}{role}/role_memberships/"
    member = alice.post(members, {"user_uuid": str(cast.carol.uuid)}).json()["id"]
    assert alice.delete(f"{members}{member}/").status_code == 204
    assert alice.delete(f"{path}{role}/").status_code == 204
    carol = f"Builders: {cast.carol.email}"
    assert changes() == [
        ("Role", "created", "Engineering", []),
        ("Role", "updated", "Builders", ["name"]),
        ("RoleMembership", "created", carol, []),
        ("RoleMembership", "deleted", carol, []),
        ("Role", "deleted", "Builders", []),
    ]
    rows = ActivityLog.objects.all()
    assert {(row.organization_id, row.project_id, row.user_id) for row in rows} == {(cast.acme.pk, None, cast.alice.pk)}
    assert [row.item_id for row in rows.filter(scope="Role")] == [role] * 3


def test_a_refused_change_of_a_role_is_not_logged(cast: Cast, alice: Caller):
    path = f"/api/organizations/{cast.acme.pk}/roles/"
    assert alice.post(path, {"name": ""}).status_code == 400
    assert cast.caller(cast.carol).post(path, {"name": "Mine"}).status_code == 403
    assert changes() == []
