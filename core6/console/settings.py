"""The settings of Unfold: the console's name, and its sidebar."""

UNFOLD = {
    "SITE_TITLE": "Core6",
    "SITE_HEADER": "Core6",
    "SITE_SUBHEADER": "Console",
    "SITE_FAVICONS": [{"rel": "icon", "type": "image/svg+xml", "href": "/favicon.ico"}],
    "SIDEBAR": {
        "navigation": [
            {
                "title": title,
                "separator": True,
                "items": [{"title": name, "icon": icon, "link": f"/admin/{address}"} for name, icon, address in items],
            }
            for title, items in {
                "": [("Overview", "monitor_heart", "")],
                "People": [
                    ("Users", "person", "accounts/user/"),
                    ("Organizations", "domain", "accounts/organization/"),
                    ("Roles", "groups", "roles/role/"),
                    ("API keys", "key", "accounts/personalapikey/"),
                ],
                "Data": [
                    ("Projects", "folder", "projects/project/"),
                    ("Annotations", "sticky_note_2", "annotations/annotation/"),
                    ("Cohorts", "group_work", "cohorts/cohort/"),
                ],
                "Work": [
                    ("Jobs", "manufacturing", "procrastinate/procrastinatejob/"),
                    ("Activity", "history", "activity/activitylog/"),
                ],
            }.items()
        ]
    },
}
