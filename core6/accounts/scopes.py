"""The scopes of personal API keys: their grammar, what a method requires, and what a key grants."""

from collections.abc import Collection

ALL = "*"
#: The objects of scopes. Most belong to parts of the API that this server does not have; keys with them are valid.
OBJECTS = frozenset(
    """
    action activity_log alert annotation batch_export cohort comment conversation dashboard dashboard_template
    dataset desktop_recording early_access_feature endpoint error_tracking evaluation event_definition
    event_filter experiment experiment_saved_metric export external_data_source feature_flag file_system group
    health_issue hog_flow hog_function insight insight_variable integration legal_document live_debugger
    llm_analytics llm_gateway llm_prompt llm_skill logs mcp_analytics notebook organization
    organization_integration organization_member person persisted_folder plugin product_tour project
    property_definition query revenue_analytics session_recording session_recording_playlist
    sharing_configuration subscription survey task ticket tracing user user_interview warehouse_objects
    warehouse_table warehouse_view web_analytics webhook
    """.split()
)
ACTIONS = ("read", "write")
#: Every valid scope.
EVERY = frozenset({ALL, *(f"{name}:{action}" for name in OBJECTS for action in ACTIONS)})
_READING_METHODS = ("GET", "HEAD", "OPTIONS")


def is_valid(scope: str) -> bool:
    """Return whether `scope` is `*`, `<object>:read` or `<object>:write`."""
    return scope in EVERY


def required(resource: str, method: str) -> str:
    """Return the scope that `method` on `resource` requires, such as `annotation:read`."""
    return f"{resource}:{'read' if method in _READING_METHODS else 'write'}"


def granting(scope: str) -> frozenset[str]:
    """Return the scopes that include `scope`: write includes read, `*` includes everything."""
    name, _, action = scope.partition(":")
    return frozenset({ALL, scope, *([f"{name}:write"] if action == "read" else [])})


def grants(held: Collection[str] | None, scope: str) -> bool:
    """Return whether the scopes `held` of a key include `scope`; None means no access."""
    return not granting(scope).isdisjoint(held or ())
