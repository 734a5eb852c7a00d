"""MLflow: parameters, inputs and metrics of each stage, from its files.

No other package imports MLflow. Under the flow (`turnabout run`) a pipeline run is one parent run, and each of its
stages, up to date or not, a child. Plain `dvc repro` knows no pipeline run: every stage that really ran becomes one
top-level run without a parent, tagged `by: dvc`. A store that cannot be reached stops the flow before its first stage;
later, and under plain `dvc repro`, it costs a warning.
"""

from turnabout.tracking.curve import make_curve_callback
from turnabout.tracking.pipeline_runs import finish_pipeline, start_pipeline
from turnabout.tracking.stage_runs import fail_stage, record_stage, start_stage
from turnabout.tracking.store import find_store_uri, prepare_store

__all__ = [
    "fail_stage",
    "find_store_uri",
    "finish_pipeline",
    "make_curve_callback",
    "prepare_store",
    "record_stage",
    "start_pipeline",
    "start_stage",
]
