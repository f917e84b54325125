from django.apps import AppConfig


class IdempotencyConfig(AppConfig):
    name = "core6.idempotency"
