"""What every stage script shares: a command line from `main`'s signature, plain errors, and tracking when run alone."""

import argparse
import inspect
import os
import sys
import warnings
from collections.abc import Callable
from typing import Any

from turnabout.errors import TurnaboutError

#: Set before torch loads. Waiting threads sleep, so that stages side by side do not fight over the cores, and every
#: stage uses the same number of threads whoever runs it: the same bytes from `dvc repro` and from the flow.
ENVIRONMENT = {
    "OMP_WAIT_POLICY": "PASSIVE",
    "TOKENIZERS_PARALLELISM": "false",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "TRANSFORMERS_VERBOSITY": "error",
    "MLFLOW_DISABLE_TELEMETRY": "true",
}


def command(main: Callable[..., None]) -> None:
    """Run `main` with one `--option` per parameter; its annotation converts, its default makes it optional.

    A `TurnaboutError` ends the process with status 1 and its message alone. Under DVC but outside the flow
    (`TURNABOUT_FLOW` unset), the finished stage is recorded in MLflow from the files it wrote.
    """
    for name, value in ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    warnings.filterwarnings("ignore", category=FutureWarning)  # other libraries' future is not the reader's concern
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
