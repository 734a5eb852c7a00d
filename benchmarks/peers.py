"""Optional libraries that only benchmarks need.

A benchmark uses those that are installed and names those that are not. To install them in a folder of their own:

    pip install --no-deps --target .peers gaoya datasketch py3langid pycld2 lingua-language-detector \
        better-profanity profanex alt-profanity-check
    PYTHONPATH=.peers python -m benchmarks.near_duplicates

For `benchmarks.follow_up_speed` also lm-eval with what it imports:

    pip install --no-deps --target .peers lm_eval evaluate sacrebleu rouge_score sqlitedict pytablewriter \
        more-itertools word2number DataProperty tabledata tcolorpy typepy mbstrdecoder pathvalidate portalocker \
        absl-py nltk lxml chardet
"""

from collections.abc import Callable, Mapping
from importlib import import_module
from types import ModuleType
from typing import TypeVar

Made = TypeVar("Made")


def import_peer(name: str) -> ModuleType | None:
    """Return the module, or None after printing that it is not compared."""
    try:
        return import_module(name)
    except ImportError:
        print(f"not compared: {name} is not installed; benchmarks/peers.py says how")
        return None


def build_for_installed(makers: Mapping[str, Callable[[ModuleType], Made]]) -> dict[str, Made]:
    """Return what each maker builds from its module, for the installed modules."""
    modules = {name: import_peer(name) for name in makers}
    return {name: makers[name](module) for name, module in modules.items() if module is not None}
