"""Settings: the environment is read here and nowhere else; a bad value stops the start with one clear line.

Importing this module starts and writes nothing.
"""

import os
from pathlib import Path
from typing import Any

import environ  # type: ignore[import-untyped]  # the library has no types
from corsheaders.defaults import default_headers
from django.core.exceptions import ImproperlyConfigured

from core6.api.openapi import settings as openapi
from core6.console import settings as console
from core6.database import data_directory
from core6.database import settings as connections
from core6.observability.settings import logging_settings
from core6.security.secret_strength import weak_secrets

BASE_DIR = Path(__file__).resolve().parent.parent
_TRUE, _FALSE = ("true", "1", "yes", "on"), ("false", "0", "no", "off", "")


def _boolean(text: str) -> bool:
    if text.lower() not in _TRUE + _FALSE:
        raise ValueError("use true or false")
    return text.lower() in _TRUE


def _positive(text: str) -> int:
    if not (text.isascii() and text.isdecimal()) or int(text) < 1:
        raise ValueError("use a whole number from 1")
    return int(text)


def _names(text: str) -> list[str]:
    return [name.strip() for name in text.split(",") if name.strip()]


def _level(text: str) -> str:
    if text.upper() not in ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"):
        raise ValueError("use DEBUG, INFO, WARNING, ERROR or CRITICAL")
    return text.upper()


#: Every setting: its reader and its default. README's table lists the same names (a test compares them).
ENVIRONMENT: dict[str, tuple[Any, str]] = {
    "DATABASE_URL": (str, ""),
    "REPLICA_URL": (str, ""),
    "IS_BEHIND_POOLER": (_boolean, "false"),
    "CORE6_DATA_DIR": (str, ""),
    "SECRET_KEY": (str, ""),
    "ENCRYPTION_KEYS": (_names, ""),
    "DEBUG": (_boolean, "false"),
    "ALLOWED_HOSTS": (_names, "localhost,127.0.0.1,[::1]"),
    "CORS_ALLOWED_ORIGINS": (_names, ""),
    "CSRF_TRUSTED_ORIGINS": (_names, ""),
    "IS_BEHIND_PROXY": (_boolean, "false"),
    "WEB_WORKERS": (_positive, str(max(2, min(4, os.cpu_count() or 2)))),
    "RATE_LIMIT_ENABLED": (_boolean, "false"),
    "COHORT_REFRESH_MINUTES": (_positive, "15"),
    "COHORT_CALCULATION_SECONDS": (_positive, "600"),
    "CALCULATION_HISTORY": (_positive, "100"),
    "ACTIVITY_DAYS": (_positive, "400"),
    "IDEMPOTENCY_HOURS": (_positive, "24"),
    "IDEMPOTENCY_MB": (_positive, "50"),
    "LOG_LEVEL": (_level, "WARNING"),
    "METRICS_TOKEN": (str, ""),
}

if (BASE_DIR / ".env").exists():
    environ.Env.read_env(BASE_DIR / ".env")


def _read(name: str) -> Any:
    reader, default = ENVIRONMENT[name]
    text = os.environ.get(name, default)
    try:
        return reader(text)
    except ValueError as error:
        raise ImproperlyConfigured(f"{name}={text}: {error}") from error


DEBUG: bool = _read("DEBUG")
ALLOWED_HOSTS: list[str] = _read("ALLOWED_HOSTS")
CORS_ALLOWED_ORIGINS: list[str] = _read("CORS_ALLOWED_ORIGINS")
CSRF_TRUSTED_ORIGINS: list[str] = _read("CSRF_TRUSTED_ORIGINS")
#: What scripts of those origins may send and read beside the ordinary.
CORS_ALLOW_HEADERS = [*default_headers, "if-match", "if-none-match", "idempotency-key", "x-request-id"]
CORS_EXPOSE_HEADERS = [
    *("ETag", "Idempotency-Replayed", "RateLimit", "RateLimit-Policy", "Retry-After", "X-Request-Id"),
]
IS_BEHIND_PROXY: bool = _read("IS_BEHIND_PROXY")
WEB_WORKERS: int = _read("WEB_WORKERS")
#: How many calls a key may make in so many seconds (D16).
RATE_LIMITS: dict[int, int] = {60: 480, 3600: 4800} if _read("RATE_LIMIT_ENABLED") else {}
COHORT_REFRESH_MINUTES: int = _read("COHORT_REFRESH_MINUTES")
COHORT_CALCULATION_SECONDS: int = _read("COHORT_CALCULATION_SECONDS")
#: How much is kept of what was: runs of each cohort, days of activity, and answers to requests that are repeated, for
#: so many hours and so many MB of each organization. An hourly job deletes the rest.
CALCULATION_HISTORY: int = _read("CALCULATION_HISTORY")
ACTIVITY_DAYS: int = _read("ACTIVITY_DAYS")
IDEMPOTENCY_HOURS: int = _read("IDEMPOTENCY_HOURS")
IDEMPOTENCY_MB: int = _read("IDEMPOTENCY_MB")
LOG_LEVEL: str = _read("LOG_LEVEL")
#: The bearer token that reads /metrics; without one there are none.
METRICS_TOKEN: str = _read("METRICS_TOKEN")
#: Whether each request is a line of the log.
IS_REQUEST_LOGGED = LOG_LEVEL in ("DEBUG", "INFO")
#: Whether connections count their statements: nobody else looks.
IS_SQL_COUNTED = IS_REQUEST_LOGGED or bool(METRICS_TOKEN)


# The database: a real server by its address, else the embedded one of the data directory.
DATABASE_URL: str = _read("DATABASE_URL")
REPLICA_URL: str = _read("REPLICA_URL")
IS_BEHIND_POOLER: bool = _read("IS_BEHIND_POOLER")
DATA_DIRECTORY = data_directory.locate(_read("CORE6_DATA_DIR"))
IS_EMBEDDED = not DATABASE_URL
if IS_EMBEDDED and (REPLICA_URL or IS_BEHIND_POOLER):
    _name = "REPLICA_URL" if REPLICA_URL else "IS_BEHIND_POOLER"
    raise ImproperlyConfigured(f"{_name} is of use beside DATABASE_URL alone: set that, too, or unset {_name}")
DATABASES = {
    "default": connections.embedded_server(DATA_DIRECTORY)
    if IS_EMBEDDED
    else connections.server("DATABASE_URL", DATABASE_URL, is_behind_pooler=IS_BEHIND_POOLER)
}
SESSION_LIMITS = connections.SESSION_LIMITS
#: What web workers add to the options above (core6/wsgi.py): statements prepared once for each connection, and limits
#: of time. Migrations and commands run without, since they send several commands in one statement.
WEB_CONNECTION_OPTIONS = connections.web_options(SESSION_LIMITS, is_behind_pooler=IS_BEHIND_POOLER)
if REPLICA_URL:
    DATABASES["replica"] = connections.replica(REPLICA_URL, is_behind_pooler=IS_BEHIND_POOLER)
    DATABASE_ROUTERS = ["core6.database.replica.Router"]

SECRET_KEY: str = _read("SECRET_KEY")
IS_SECRET_KEY_GENERATED = IS_EMBEDDED and not SECRET_KEY
if IS_SECRET_KEY_GENERATED:
    try:
        # None before the first start, which makes it; Django refuses to use an empty one.
        SECRET_KEY = data_directory.read_private(DATA_DIRECTORY / "secret_key") or ""
    except data_directory.Unusable as unusable:
        raise ImproperlyConfigured(str(unusable)) from unusable
if not (SECRET_KEY or IS_EMBEDDED):
    raise ImproperlyConfigured("SECRET_KEY is required beside DATABASE_URL: set it to a long random text")

#: What secrets are encrypted with: the first writes, every one and SECRET_KEY read. None: SECRET_KEY alone.
ENCRYPTION_KEYS: list[str] = _read("ENCRYPTION_KEYS")

#: Others can reach the server. On one machine, for its own use, any secret will do.
IS_PRODUCTION = not DEBUG and (not IS_EMBEDDED or IS_BEHIND_PROXY)
if IS_PRODUCTION:
    for _name, _why in weak_secrets(
        secret_key=SECRET_KEY, encryption_keys=ENCRYPTION_KEYS, metrics_token=METRICS_TOKEN
    ):
        raise ImproperlyConfigured(f"{_name} is too weak: {_why}; make one, for instance by `openssl rand -base64 48`")

INSTALLED_APPS = [
    # First: some of its templates replace those of the console's theme.
    "core6",
    # The console, whose code is loaded by the first request to it (core6/urls.py).
    "unfold.apps.BasicAppConfig",
    "django.contrib.admin.apps.SimpleAdminConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "corsheaders",
    "rest_framework",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "django.contrib.staticfiles",
    "procrastinate.contrib.django",
    "core6.accounts",
    "core6.activity",
    "core6.analytics",
    "core6.revisions",
    "core6.idempotency",
    "core6.rate_limits",
    "core6.traffic",
    "projects",
    "roles",
    "annotations",
    "cohorts",
    "core6.demo",
]
MIDDLEWARE = [
    "core6.observability.request_id.RequestIdMiddleware",
    *(["core6.api.errors.NoDebugPagesMiddleware"] if DEBUG else []),
    # The requests of Prometheus itself are neither counted nor logged.
    *(
        [
            "core6.observability.metrics_endpoint.MetricsMiddleware",
            "core6.observability.request_metrics.RequestMetricsMiddleware",
        ]
        if METRICS_TOKEN
        else []
    ),
    *(["core6.observability.request_log.RequestLogMiddleware"] if IS_REQUEST_LOGGED else []),
    # Only where an origin is named: otherwise no request has to be examined.
    *(["corsheaders.middleware.CorsMiddleware"] if CORS_ALLOWED_ORIGINS else []),
    "core6.api.middleware.ApiMiddleware",
]
#: What runs around the pages alone (core6/api/middleware.py): no call of the API pays for it.
PAGE_MIDDLEWARE = [
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.middleware.common.CommonMiddleware",
    "core6.console.middleware.ConsoleMiddleware",
]
UNFOLD = console.UNFOLD
STATIC_URL = "/static/"
#: The pages' scripts are served as their packages bring them: nothing has to be collected.
WHITENOISE_USE_FINDERS = True
WHITENOISE_AUTOREFRESH = False
TEMPLATES = [
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
ROOT_URLCONF = "core6.urls"
WSGI_APPLICATION = "core6.wsgi.application"
AUTH_USER_MODEL = "accounts.User"
LOGIN_REDIRECT_URL = "/admin/"
#: Of those who use the console.
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}", "OPTIONS": options}
    for name, options in {
        "UserAttributeSimilarityValidator": {"user_attributes": ("email", "first_name", "last_name")},
        "MinimumLengthValidator": {"min_length": 12},
        "CommonPasswordValidator": {},
    }.items()
]
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
APPEND_SLASH = False  # every URL answers with and without the final slash (D13)
USE_TZ = True
TIME_ZONE = "UTC"
USE_I18N = False
FORMAT_MODULE_PATH = "core6.console.formats"
#: Larger bodies are 413. 100,000 person ids fit.
DATA_UPLOAD_MAX_MEMORY_SIZE = 10 * 1024 * 1024
# TLS is the part of a proxy in front. Without one a browser refuses what follows, or complains of it.
SECURE_CROSS_ORIGIN_OPENER_POLICY = "same-origin" if IS_BEHIND_PROXY else None
SECURE_HSTS_SECONDS = 365 * 24 * 3600 if IS_BEHIND_PROXY else 0
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = IS_BEHIND_PROXY
SESSION_COOKIE_HTTPONLY = CSRF_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = CSRF_COOKIE_SAMESITE = "Lax"
CSRF_FAILURE_VIEW = "core6.api.error_pages.csrf_failure"
SESSION_COOKIE_PATH = CSRF_COOKIE_PATH = "/admin/"  # nothing of the API knows a cookie
SESSION_COOKIE_AGE = 12 * 3600
if IS_BEHIND_PROXY:
    USE_X_FORWARDED_HOST = USE_X_FORWARDED_PORT = True
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
SILENCED_SYSTEM_CHECKS = [
    *("admin.E408", "admin.E409", "admin.E410"),  # what it needs runs around the console alone
    "auth.E003",  # an email is unique whatever its case, by a constraint
    # Of `check --deploy`:
    *("security.W001", "security.W002"),  # their headers are added to every answer by ApiMiddleware
    "security.W003",  # the API knows no cookie that another site's page could send along
    "security.W008",  # the proxy leads to https; an API that did would take a key in plain text first
    # Other names of the domain, and the list that browsers are shipped with, are not ours to decide.
    # Without a proxy a browser would not send a cookie back that is marked secure; the doctor warns of such a server.
    *(["security.W005", "security.W021"] if IS_BEHIND_PROXY else ["security.W004", "security.W010"]),
    *(["security.W009"] if IS_SECRET_KEY_GENERATED else []),  # it may not be there before the first start
]
#: Of the pages alone (core6/api/openapi/pages.py). Swagger UI and Redoc write styles; Redoc searches in a worker.
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": ["'self'"],
        "style-src": ["'self'", "'unsafe-inline'"],
        "img-src": ["'self'", "data:"],
        "worker-src": ["'self'", "blob:"],
        "object-src": ["'none'"],
        "base-uri": ["'none'"],
        "form-action": ["'self'"],
        "frame-ancestors": ["'none'"],
    }
}

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["core6.api.authentication.PersonalAPIKeyAuthentication"],
    "DEFAULT_PERMISSION_CLASSES": ["core6.api.permissions.IsAllowed"],
    "DEFAULT_THROTTLE_CLASSES": ["core6.api.rate_limits.KeyThrottle"],
    "DEFAULT_PARSER_CLASSES": [
        "core6.api.parsers.JSONParser",
        "core6.api.parsers.FormParser",
        "core6.api.parsers.MultiPartParser",
    ],
    "DEFAULT_RENDERER_CLASSES": ["core6.api.renderers.JSONRenderer"],
    "DEFAULT_CONTENT_NEGOTIATION_CLASS": "core6.api.renderers.Negotiation",
    "DEFAULT_PAGINATION_CLASS": "core6.api.pagination.LimitOffsetPagination",
    "DEFAULT_SCHEMA_CLASS": "core6.api.openapi.schema.OperationSchema",
    "EXCEPTION_HANDLER": "core6.api.errors.exception_handler",
    "UNAUTHENTICATED_USER": None,
    "URL_FORMAT_OVERRIDE": None,
    "TEST_REQUEST_DEFAULT_FORMAT": "json",
}
EXCEPTIONS_HOG = {"ENABLE_IN_DEBUG": True}
#: Seconds without a heartbeat after which a job worker counts as dead and its jobs are given to another.
DEAD_WORKER_SECONDS = 10.0
# Two at a time, so that a long calculation does not hold up the rest; what was done leaves no row.
PROCRASTINATE_WORKER_DEFAULTS = {
    "concurrency": 2,
    "delete_jobs": "successful",
    "update_heartbeat_interval": 2.0,
    # No notification says that the lock which a job waits for is free.
    "fetch_job_polling_interval": 1.0,
    "stalled_worker_timeout": DEAD_WORKER_SECONDS,
    "shutdown_graceful_timeout": 5.0,
}
SPECTACULAR_SETTINGS = openapi.SPECTACULAR_SETTINGS
LOGGING_CONFIG = "core6.observability.logs.configure"
LOGGING = logging_settings(LOG_LEVEL)
