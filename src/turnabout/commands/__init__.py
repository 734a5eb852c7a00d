"""The commands of `turnabout`, one module each: its options in `add_arguments`, its work in `execute` (→ exit status).

Their first docstring line is what `--help` shows; they import inside `execute`, so that `--help` answers at once.
"""

from types import ModuleType

from turnabout.commands import doctor, forget, label, phrases, plan, run, score, ui

COMMANDS: dict[str, ModuleType] = {
    "run": run,
    "plan": plan,
    "ui": ui,
    "doctor": doctor,
    "forget": forget,
    "label": label,
    "phrases": phrases,
    "score": score,
}
