"""Settings: the environment is read here and nowhere else; a bad value stops the start with one clear line.

Importing this module starts and writes nothing.
"""

import os

import environ  # type: ignore[import-untyped]  # the library has no types
from django.core.exceptions import ImproperlyConfigured

from core6.api import settings as api
from core6.api.openapi import settings as openapi
from core6.console import settings as console
from core6.database import data_directory
from core6.database import settings as connections
from core6.management.environment import forget_postgres_variables, read, shown
from core6.observability.settings import logging_settings
from core6.security.secret_strength import weak_secrets
from core6.terminal.program import IS_CHECKOUT, ROOT

BASE_DIR = ROOT
if IS_CHECKOUT and (BASE_DIR / ".env").exists():
    environ.Env.read_env(BASE_DIR / ".env")


DEBUG: bool = read("DEBUG")
ALLOWED_HOSTS: list[str] = read("ALLOWED_HOSTS")
CORS_ALLOWED_ORIGINS: list[str] = read("CORS_ALLOWED_ORIGINS")
CSRF_TRUSTED_ORIGINS: list[str] = read("CSRF_TRUSTED_ORIGINS")
CORS_ALLOW_HEADERS, CORS_EXPOSE_HEADERS = api.CORS_ALLOW_HEADERS, api.CORS_EXPOSE_HEADERS
# Ingestion allows every origin by itself (E8).
CORS_URLS_REGEX = "^/api/"
IS_BEHIND_PROXY: bool = read("IS_BEHIND_PROXY")
WEB_WORKERS: int = read("WEB_WORKERS")
#: How many calls a key may make in so many seconds (D16).
RATE_LIMITS: dict[int, int] = {60: 480, 3600: 4800} if read("RATE_LIMIT_ENABLED") else {}
COHORT_REFRESH_MINUTES: int = read("COHORT_REFRESH_MINUTES")
COHORT_CALCULATION_SECONDS: int = read("COHORT_CALCULATION_SECONDS")
#: How much is kept of what was: runs of each cohort, days of activity, and answers to requests that are repeated, for
#: so many hours and so many MB of each organization. An hourly job deletes the rest.
CALCULATION_HISTORY: int = read("CALCULATION_HISTORY")
ACTIVITY_DAYS: int = read("ACTIVITY_DAYS")
IDEMPOTENCY_HOURS: int = read("IDEMPOTENCY_HOURS")
IDEMPOTENCY_MB: int = read("IDEMPOTENCY_MB")
#: Limits of ingestion (E14); 0 is none. Events of a project, and of an address, in a minute; events of a project.
EVENTS_PER_MINUTE: int = read("EVENTS_PER_MINUTE")
MOST_EVENTS: int = read("MOST_EVENTS")
EVENT_RETENTION_DAYS: int = read("EVENT_RETENTION_DAYS")
LOG_LEVEL: str = read("LOG_LEVEL")
#: The bearer token that reads /metrics; without one there are none.
METRICS_TOKEN: str = read("METRICS_TOKEN")
#: Whether each request is a line of the log.
IS_REQUEST_LOGGED = LOG_LEVEL in ("DEBUG", "INFO")
#: Whether connections count their statements: nobody else looks.
IS_SQL_COUNTED = IS_REQUEST_LOGGED or bool(METRICS_TOKEN)


# The database: a real server by its address, else the embedded one of the data directory.
DATABASE_URL: str = read("DATABASE_URL")
REPLICA_URL: str = read("REPLICA_URL")
IS_BEHIND_POOLER: bool = read("IS_BEHIND_POOLER")
DATA_DIRECTORY = data_directory.locate(read("CORE6_DATA_DIR"))
IS_EMBEDDED = not DATABASE_URL
#: Whether `serve --lab` made the data directory, or is about to make it.
IS_LAB = IS_EMBEDDED and (os.environ.pop("CORE6_IN_LAB", "") == "true" or data_directory.is_lab(DATA_DIRECTORY))
#: The bearer token of the lab; without one it answers this machine alone.
LAB_TOKEN: str = read("LAB_TOKEN")
LAB_TOKEN_NAME = shown("LAB_TOKEN")
#: Where the web server reaches the lab in front of it, for the console; set by `serve --lab`.
LAB_URL: str = os.environ.get("CORE6_LAB_URL", "")
if IS_EMBEDDED or not IS_CHECKOUT:
    forget_postgres_variables()
if IS_EMBEDDED and (REPLICA_URL or IS_BEHIND_POOLER):
    _name = "REPLICA_URL" if REPLICA_URL else "IS_BEHIND_POOLER"
    raise ImproperlyConfigured(f"{_name} is of use beside DATABASE_URL alone: set that, too, or unset {_name}")
DATABASES = {
    "default": connections.embedded_server(DATA_DIRECTORY)
    if IS_EMBEDDED
    else connections.server(shown("DATABASE_URL"), DATABASE_URL, is_behind_pooler=IS_BEHIND_POOLER)
}
SESSION_LIMITS = connections.SESSION_LIMITS
#: Further options of web workers: prepared statements and time limits. Migrations and commands run without them, since
#: they send several commands in one statement.
WEB_CONNECTION_OPTIONS = connections.web_options(SESSION_LIMITS, is_behind_pooler=IS_BEHIND_POOLER)
if os.environ.get("CORE6_PROCESS") == "web":  # set by core6/wsgi.py
    DATABASES["default"]["OPTIONS"] |= WEB_CONNECTION_OPTIONS
if REPLICA_URL:
    DATABASES["replica"] = connections.replica(REPLICA_URL, is_behind_pooler=IS_BEHIND_POOLER)
    DATABASE_ROUTERS = ["core6.database.replica.Router"]

SECRET_KEY: str = read("SECRET_KEY")
IS_SECRET_KEY_GENERATED = IS_EMBEDDED and not SECRET_KEY
if IS_SECRET_KEY_GENERATED:
    # The first start creates it, after it has read the settings.
    SECRET_KEY = data_directory.lazy_secret(DATA_DIRECTORY / "secret_key")
elif not SECRET_KEY:
    raise ImproperlyConfigured(
        f"{shown('SECRET_KEY')} is required beside {shown('DATABASE_URL')}: set it to a long random text"
    )

#: What secrets are encrypted with: the first writes, every one and SECRET_KEY read. None: SECRET_KEY alone.
ENCRYPTION_KEYS: list[str] = read("ENCRYPTION_KEYS")

#: Others can reach the server. On one machine, for its own use, any secret will do.
IS_PRODUCTION = not DEBUG and (not IS_EMBEDDED or IS_BEHIND_PROXY)
if IS_PRODUCTION:
    for _name, _why in weak_secrets(
        secret_key="" if IS_SECRET_KEY_GENERATED else SECRET_KEY,
        encryption_keys=ENCRYPTION_KEYS,
        metrics_token=METRICS_TOKEN,
    ):
        raise ImproperlyConfigured(
            f"{shown(_name)} is too weak: {_why}; make one, for instance by `openssl rand -base64 48`"
        )

INSTALLED_APPS = [
    # First: some templates replace those of the console's theme, and createsuperuser replaces that of auth.
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
    "core6.capture",
    "projects",
    "roles",
    "annotations",
    "cohorts",
    "core6.demo",
]
MIDDLEWARE = [
    "core6.observability.request_id.RequestIdMiddleware",
    *(["core6.api.debug_mode.NoDebugPagesMiddleware"] if DEBUG else []),
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
TEMPLATES = console.TEMPLATES
AUTH_PASSWORD_VALIDATORS = console.AUTH_PASSWORD_VALIDATORS
ROOT_URLCONF = "core6.urls"
WSGI_APPLICATION = "core6.wsgi.application"
AUTH_USER_MODEL = "accounts.User"
LOGIN_REDIRECT_URL = "/admin/"
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
REST_FRAMEWORK = api.REST_FRAMEWORK
EXCEPTIONS_HOG = {"ENABLE_IN_DEBUG": True}
#: Seconds without a heartbeat after which a job worker counts as dead and its jobs are given to another.
DEAD_WORKER_SECONDS = 10.0
# Two at a time, so that a long calculation does not delay the rest. Jobs that succeeded leave no row.
PROCRASTINATE_WORKER_DEFAULTS = {
    "concurrency": 2,
    "delete_jobs": "successful",
    "update_heartbeat_interval": 2.0,
    # No notification says that the lock which a job waits for is free.
    "fetch_job_polling_interval": 1.0,
    "stalled_worker_timeout": DEAD_WORKER_SECONDS,
    "shutdown_graceful_timeout": 5.0,
}
CONTENT_SECURITY_POLICY = openapi.CONTENT_SECURITY_POLICY
SPECTACULAR_SETTINGS = openapi.SPECTACULAR_SETTINGS
LOGGING_CONFIG = "core6.observability.logs.configure"
LOGGING = logging_settings(LOG_LEVEL)
