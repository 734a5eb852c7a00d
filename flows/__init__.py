"""Prefect flows: order, progress and schedule.

The work of a stage is in `stages/`; DVC decides which stages are stale.
"""
