"""Critiques: what was wrong with a reply that drew dissatisfaction, in one sentence (ILF, Scheurer et al. 2023)."""

from typing import Any, ClassVar, Literal

from turnabout.augment.one_sentence import OneSentence


class Critiques(OneSentence):
    """One critique per criticised reply, written from the exchange and the user's reaction to it."""

    writes: Literal["critiques"] = "critiques"
    column: ClassVar[str] = "flaw"
    prompt_version: ClassVar[str] = "critique-1"
    prefill: ClassVar[str] = "The problem with the reply is that it"

    def question(self, row: dict[str, Any]) -> str:
        return (
            f"{row['history']}\nAssistant: {row['reply']}\nUser: {row['follow_up']}\n\n"
            "The user was not satisfied with the assistant's last reply. "
            "Say in one sentence what was wrong with that reply. Do not answer the user."
        )
