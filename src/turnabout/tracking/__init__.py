"""The only user of MLflow: what every stage was told, read and measured, recorded from its files.

Under the flow (`turnabout run`) a pipeline run is one parent run, and each of its stages, up to date or not, a child.
Plain `dvc repro` knows no pipeline run: every stage that really ran becomes one top-level run without a parent, tagged
`by: dvc`. A store that cannot be reached stops the flow before its first stage; later, and under plain `dvc repro`, it
costs a warning.
"""

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
