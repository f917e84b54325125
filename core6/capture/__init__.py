"""Ingestion: what SDKs send to `/batch`, `/e` and their like becomes events and persons (E1 to E18)."""
