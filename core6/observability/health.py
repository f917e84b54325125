"""Health of one web worker, for load balancers and start scripts; asks for no key and no Host."""

from typing import Final

from django.db import connection
from django.http import HttpResponse, JsonResponse

from core6.database.missing_migrations import missing_migrations
from core6.database.probe import Probe

_READY_SECONDS: Final = 1.0


class Health:
    """Answers `/_livez` (200 while the process lives) and `/_readyz` (200, or 503 with what is missing)."""

    def __init__(self) -> None:
        self._probe = Probe(self._look, seconds=_READY_SECONDS, name="readyz")
        self._is_migrated = False

    async def answer(self, path: str) -> HttpResponse | None:
        """Return the answer to a path; None when it is another's."""
        match path.rstrip("/"):
            case "/_livez":
                return JsonResponse({"status": "ok"})
            case "/_readyz":
                found = await self._probe.result_from_loop()
                missing = {"database": f"did not answer within {_READY_SECONDS:g} s"} if found is None else found
                status = 503 if missing else 200
                return JsonResponse({"status": "unavailable" if missing else "ok", **missing}, status=status)
        return None

    def _look(self) -> dict[str, object]:
        if self._is_migrated:
            with connection.cursor() as cursor:
                cursor.execute("SELECT 1")
            return {}
        missing = missing_migrations()
        self._is_migrated = not missing
        return {"migrations": missing} if missing else {}
