"""The settings of the console: its look (Unfold), its templates, and its passwords."""

from typing import Final


def _item(title: str, icon: str, address: str, **more: str) -> dict[str, str]:
    """Return a link of the sidebar; `permission` is a function that decides whether it is there."""
    return {"title": title, "icon": icon, "link": f"/admin/{address}", **more}


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
    "SITE_FAVICONS": [{"rel": "icon", "type": "image/svg+xml", "href": "/static/core6/favicon.svg"}],
    "SIDEBAR": {
        "navigation": [
            {"title": title, "separator": bool(title), "items": items}
            for title, items in {
                "": [_item("Overview", "monitor_heart", "")],
                "People": [
                    _item("Users", "person", "accounts/user/"),
                    _item("Organizations", "domain", "accounts/organization/"),
                    _item("Roles", "groups", "roles/role/"),
                    _item("API keys", "key", "accounts/personalapikey/"),
                ],
                "Data": [
                    _item("Projects", "folder", "projects/project/"),
                    _item("Annotations", "sticky_note_2", "annotations/annotation/"),
                    _item("Cohorts", "group_work", "cohorts/cohort/"),
                ],
                "Work": [
                    _item("Jobs", "manufacturing", "procrastinate/procrastinatejob/"),
                    _item("Activity", "history", "activity/activitylog/"),
                    _item("Lab", "science", "lab/", permission="core6.console.lab.is_on"),
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
