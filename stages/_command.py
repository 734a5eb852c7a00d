"""The command line of a stage script, made from the signature of its `main`."""

import argparse
import inspect
import os
import sys
import warnings
from collections.abc import Callable
from typing import Any

from turnabout.errors import TurnaboutError

#: Environment that is set before torch loads. Waiting threads sleep, so that parallel stages do not compete for cores.
#: Every stage uses the same number of threads, so that `dvc repro` and the flow write the same bytes.
ENVIRONMENT = {
    "OMP_WAIT_POLICY": "PASSIVE",
    "TOKENIZERS_PARALLELISM": "false",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "TRANSFORMERS_VERBOSITY": "error",
    "MLFLOW_DISABLE_TELEMETRY": "true",
}


def command(main: Callable[..., None]) -> None:
    """Run `main` with one `--option` per parameter.

    The annotation of a parameter converts its value; a default makes the option optional. A `TurnaboutError` ends the
    process with status 1 and prints only its message. Under DVC but outside the flow (`TURNABOUT_FLOW` unset), the
    finished stage is recorded in MLflow from the files it wrote.
    """
    for name, value in ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    warnings.filterwarnings("ignore", category=FutureWarning)  # users cannot act on warnings of other libraries
    cli = argparse.ArgumentParser(prog=main.__module__, description=sys.modules[main.__module__].__doc__)
    for name, parameter in inspect.signature(main).parameters.items():
        required = parameter.default is inspect.Parameter.empty
        options: dict[str, Any] = {"required": True} if required else {"default": parameter.default}
        cli.add_argument(f"--{name.replace('_', '-')}", type=parameter.annotation, **options)
    try:
        main(**vars(cli.parse_args()))
        if "DVC_STAGE" in os.environ and "TURNABOUT_FLOW" not in os.environ:
            from turnabout.tracking import record_stage

            record_stage(os.environ["DVC_STAGE"])
    except TurnaboutError as error:
        sys.exit(f"{type(error).__name__}: {error}")
