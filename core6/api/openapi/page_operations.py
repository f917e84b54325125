"""The 18 operations of the page that Core6 reimplements, by their ids in the schema."""

from typing import Final

PAGE_OPERATIONS: Final = (
    "complete_product_onboarding_partial_update",
    "delete_secret_token_backup_partial_update",
    "generate_conversations_public_token_create",
    "is_generating_demo_data_retrieve",
    "reset_token_partial_update",
    "rotate_secret_token_partial_update",
    *("roles_list", "roles_create", "roles_retrieve", "roles_partial_update", "roles_destroy"),
    *("annotations_list", "annotations_create", "annotations_retrieve"),
    *("annotations_partial_update", "annotations_destroy"),
    *("cohorts_list", "cohorts_create"),
)
