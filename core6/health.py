"""Health of one web worker, for load balancers and start scripts; asks for no key and no Host.

`serve` lets the web server itself answer `/_livez` from core6/livez, so that no busy worker can delay it.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from django.db import Error, connection
from django.db.migrations.executor import MigrationExecutor
from django.http import HttpRequest, HttpResponse, JsonResponse

_READY_SECONDS = 1.0


class HealthMiddleware:
    """Answers `GET /_livez` (200 while the process lives) and `GET /_readyz` (200, or 503 with what is missing)."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response
        # A thread of its own: a frozen database must not hold the answer.
        self._checker = ThreadPoolExecutor(max_workers=1, thread_name_prefix="readyz")
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
        try:
            return self._checker.submit(self._look).result(_READY_SECONDS)
        except (TimeoutError, Error):
            return {"database": f"did not answer within {_READY_SECONDS:g} s"}

    def _look(self) -> dict[str, object]:
        try:
            if self._is_migrated:
                with connection.cursor() as cursor:
                    cursor.execute("SELECT 1")
                return {}
            executor = MigrationExecutor(connection)
            plan = executor.migration_plan(executor.loader.graph.leaf_nodes())
            self._is_migrated = not plan
            return {"migrations": [f"{migration.app_label}.{migration.name}" for migration, _ in plan]} if plan else {}
        finally:
            connection.close()
