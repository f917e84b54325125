"""The settings of the console: its look (Unfold), its templates, and its passwords."""

from typing import Final

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
TEMPLATES: Final = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ]
        },
    }
]
#: Of those who use the console.
AUTH_PASSWORD_VALIDATORS: Final = [
    {"NAME": f"django.contrib.auth.password_validation.{name}", "OPTIONS": options}
    for name, options in {
        "UserAttributeSimilarityValidator": {"user_attributes": ("email", "first_name", "last_name")},
        "MinimumLengthValidator": {"min_length": 12},
        "CommonPasswordValidator": {},
    }.items()
]
