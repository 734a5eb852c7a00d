"""The commands of `turnabout`, one module each.

`add_arguments` adds the options and the example of a command; `execute` does its work and returns the exit status. The
first docstring line of a module is its summary in `--help`. Modules import libraries inside `execute`, so that `--help`
answers at once.
"""

from types import ModuleType

from turnabout.commands import (
    chat,
    doctor,
    eval_user,
    export_user,
    fit_miner,
    forget,
    induce_rubric,
    label,
    phrases,
    plan,
    run,
    score,
    serve_user,
    ui,
)

COMMANDS: dict[str, ModuleType] = {
    "run": run,
    "plan": plan,
    "ui": ui,
    "doctor": doctor,
    "forget": forget,
    "label": label,
    "fit-miner": fit_miner,
    "induce-rubric": induce_rubric,
    "phrases": phrases,
    "score": score,
    "serve-user": serve_user,
    "chat": chat,
    "eval-user": eval_user,
    "export-user": export_user,
}
