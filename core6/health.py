"""Health of one web worker, for load balancers and start scripts; asks for no key and no Host.

`serve` lets the web server itself answer `/_livez` from core6/livez, so that no busy worker can delay it.
"""

from collections.abc import Callable

from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from django.http import HttpRequest, HttpResponse, JsonResponse

from core6.aside import Aside

_READY_SECONDS = 1.0


class HealthMiddleware:
    """Answers `GET /_livez` (200 while the process lives) and `GET /_readyz` (200, or 503 with what is missing)."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response
        self._aside = Aside(self._look, seconds=_READY_SECONDS, name="readyz")
        self._is_migrated = False

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if request.path_info.rstrip("/") == "/_livez":
            return JsonResponse({"status": "ok"})
        if request.path_info.rstrip("/") == "/_readyz":
            missing = self._missing()
            return JsonResponse(
                {"status": "unavailable" if missing else "ok", **missing}, status=503 if missing else 200
            )
        return self.get_response(request)

    def _missing(self) -> dict[str, object]:
        found = self._aside.ask()
        return {"database": f"did not answer within {_READY_SECONDS:g} s"} if found is None else found

    def _look(self) -> dict[str, object]:
        if self._is_migrated:
            with connection.cursor() as cursor:
                cursor.execute("SELECT 1")
            return {}
        executor = MigrationExecutor(connection)
        plan = executor.migration_plan(executor.loader.graph.leaf_nodes())
        self._is_migrated = not plan
        return {"migrations": [f"{migration.app_label}.{migration.name}" for migration, _ in plan]} if plan else {}
