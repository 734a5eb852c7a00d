"""Accuracy and speed of language identification, against three libraries.

The texts are short chat messages. Right, missing and wrong answers are counted. The messages of languages.tsv were
written for this benchmark, in 28 languages; `-` marks messages that show no language.
"""

import time
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import polars as pl

from benchmarks.peers import build_for_installed
from turnabout.text.language_detection import MIN_PROBABILITY, detect_languages

MESSAGES = Path(__file__).with_name("languages.tsv")
N_REPEATS = 20

Detector = Callable[[list[str]], list[str | None]]


def detect_with_turnabout(texts: list[str]) -> list[str | None]:
    """Return the languages that this project detects."""
    return detect_languages(pl.Series(texts)).to_list()


def build_py3langid_detector(_: ModuleType) -> Detector:
    """Return py3langid's detector.

    It gives no language below this project's minimum probability.
    """
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    identifier = LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True, min_confidence=MIN_PROBABILITY)
    return lambda texts: [identifier.classify(text)[0].replace("und", "") or None for text in texts]


def build_pycld2_detector(pycld2: ModuleType) -> Detector:
    """Return pycld2's detector."""
    codes = {"un": None, "iw": "he"}

    def find(texts: list[str]) -> list[str | None]:
        answers = [pycld2.detect(text)[2][0][1] for text in texts]
        return [codes.get(answer, answer) for answer in answers]

    return find


def build_lingua_detector(lingua: ModuleType) -> Detector:
    """Return lingua's detector in its low accuracy mode."""
    detector = lingua.LanguageDetectorBuilder.from_all_languages().with_low_accuracy_mode().build()

    def find(texts: list[str]) -> list[str | None]:
        answers = [detector.detect_language_of(text) for text in texts]
        return [answer and answer.iso_code_639_1.name.lower() for answer in answers]

    return find


def main() -> None:
    """Print counts and speed of every library."""
    rows = pl.read_csv(MESSAGES, separator="\t", quote_char=None)
    texts, truth = rows["text"].to_list(), [None if code == "-" else code for code in rows["language"]]
    n_silent = truth.count(None)
    print(f"{len(texts) - n_silent} messages in {len(set(truth)) - 1} languages, {n_silent} that tell none")
    makers = {"py3langid": build_py3langid_detector, "pycld2": build_pycld2_detector, "lingua": build_lingua_detector}
    for name, find in {"turnabout": detect_with_turnabout, **build_for_installed(makers)}.items():
        answers = list(zip(find(texts), truth, strict=True))
        began = time.perf_counter()
        for _ in range(N_REPEATS):
            find(texts)
        seconds = (time.perf_counter() - began) / N_REPEATS
        right = sum(answer == code for answer, code in answers if code)
        wrong = sum(answer is not None and answer != code for answer, code in answers if code)
        made_up = sum(answer is not None for answer, code in answers if not code)
        print(
            f"{name:10} right {right}, silent {len(texts) - n_silent - right - wrong}, wrong {wrong}; "
            f"{made_up} of {n_silent} made up; {len(texts) / seconds:,.0f} messages/s"
        )


if __name__ == "__main__":
    main()
