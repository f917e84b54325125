"""Copy what the console noted of users, organizations, roles, keys and jobs elsewhere until now."""

from django.db import migrations

#: The ids begin with the time, as all of the table; they are made of the old ones, so that none is copied twice.
COPY = """
INSERT INTO activity_activitylog (id, user_id, scope, item_id, activity, detail, created_at)
SELECT (lpad(to_hex((extract(epoch FROM l.action_time) * 1000)::bigint), 12, '0') || '7' || substr(h.hash, 1, 3) || '8'
        || substr(h.hash, 4, 15))::uuid,
    l.user_id, k.scope, left(coalesce(l.object_id, ''), 72),
    CASE l.action_flag WHEN 1 THEN 'created' WHEN 2 THEN 'updated' ELSE k.deleted END,
    jsonb_build_object('name', l.object_repr, 'changes', NULL), l.action_time
FROM django_admin_log l
JOIN django_content_type t ON t.id = l.content_type_id
JOIN (VALUES ('user', 'User', 'deleted'), ('organization', 'Organization', 'deleted'), ('role', 'Role', 'deleted'),
    ('personalapikey', 'PersonalAPIKey', 'revoked'), ('procrastinatejob', 'Job', 'deleted')
) AS k (model, scope, deleted) ON k.model = t.model
CROSS JOIN LATERAL (SELECT md5('console' || l.id) AS hash) AS h
ON CONFLICT DO NOTHING
"""


class Migration(migrations.Migration):
    dependencies = [
        ("activity", "0004_organization_optional"),
        ("admin", "0003_logentry_add_action_flag_choices"),
        ("contenttypes", "0002_remove_content_type_name"),
    ]

    operations = [migrations.RunSQL(COPY, migrations.RunSQL.noop)]
