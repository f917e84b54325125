"""The settings of the console: its look (Unfold), its templates, and its passwords."""

from typing import Final

UNFOLD = {
    "SITE_TITLE": "Core6",
    "SITE_HEADER": "Core6",
    "SITE_SUBHEADER": "Console",
    "SITE_ICON": "/static/core6/favicon.svg",
    # The blue of the icon, from light to dark.
    "COLORS": {
        "primary": {
            "50": "#eff6ff",
            "100": "#dbeafe",
            "200": "#bfdbfe",
            "300": "#93c5fd",
            "400": "#60a5fa",
            "500": "#3b82f6",
            "600": "#1d4ed8",
            "700": "#1e40af",
            "800": "#1e3a8a",
            "900": "#172554",
            "950": "#0f172a",
        },
    },
    "SCRIPTS": ["/static/core6/copy.js", "/static/core6/console.js"],
    "STYLES": ["/static/core6/console.css"],
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
