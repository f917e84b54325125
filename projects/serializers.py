"""A project as JSON."""

from rest_framework import serializers

from projects.models import Project


class ProjectBasicSerializer(serializers.ModelSerializer[Project]):
    """The short form, as lists show it (contract/projects.md 3.2)."""

    class Meta:
        model = Project
        fields = ("id", "uuid", "organization", "api_token", "name", "timezone")
        read_only_fields = fields
