"""Prefect flows: order, visibility and schedule. What a stage does is in `stages/`; what is stale, DVC decides."""
