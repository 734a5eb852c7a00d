"""Rationales: why a better reply would be preferred to the one that was given (RDPO, Just et al. 2024)."""

from typing import Any, ClassVar, Literal

from turnabout.augment.one_sentence import OneSentence


class Rationales(OneSentence):
    """One general rationale per criticised reply: what a reply the user prefers would do differently."""

    writes: Literal["rationales"] = "rationales"
    column: ClassVar[str] = "rationale"
    prompt_version: ClassVar[str] = "rationale-1"
    prefill: ClassVar[str] = "A better reply would be preferred because it"

    def question(self, row: dict[str, Any]) -> str:
        return (
            f"{row['history']}\nAssistant: {row['reply']}\nUser: {row['follow_up']}\n\n"
            "Explain in one sentence why a better reply would be preferred to the assistant's last one. "
            "Speak about the replies only."
        )
