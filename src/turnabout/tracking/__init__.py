"""The only user of MLflow: one parent run per pipeline run, one child per stage, read from files."""

from turnabout.tracking.curve import live_curve
from turnabout.tracking.pipeline_runs import finish_pipeline, start_pipeline
from turnabout.tracking.stage_runs import fail_stage, record_stage, start_stage
from turnabout.tracking.store import prepare_store, store_uri

__all__ = [
    "fail_stage",
    "finish_pipeline",
    "live_curve",
    "prepare_store",
    "record_stage",
    "start_pipeline",
    "start_stage",
    "store_uri",
]
