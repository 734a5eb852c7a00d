"""openevals' multi-turn simulation with the served user model as its simulated user (`pip install openevals`).

openevals plays the user with an assistant model and exchanges the roles for it, so it asks for `user:flipped`. Its
first message would be an instruction to begin, which a user model takes for words of the assistant: so the opening
comes from the server, by the natural view.
"""

import argparse
from typing import Any

import openai
from langchain_openai import ChatOpenAI
from openevals.simulators import create_llm_simulated_user, run_multiturn_simulation

LEFT = "<|endconversation|>"


def assistant(message: dict[str, Any], **_: Any) -> dict[str, str]:
    """The assistant under test: put yours here."""
    return {"role": "assistant", "content": f"You said: {message['content']}"}


def has_left(trajectory: list[dict[str, Any]], **_: Any) -> bool:
    """Whether the user left: openevals asks after each reply."""
    return any(LEFT in message["content"] for message in trajectory if message["role"] == "user")


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--base-url", default="http://127.0.0.1:8010/v1")
    options.add_argument("--about", default="a trip by train")
    options.add_argument("--turns", type=int, default=6)
    chosen = options.parse_args()
    intent = f"You are a user chatting with an assistant language model to talk about {chosen.about}."
    opening = openai.OpenAI(base_url=chosen.base_url, api_key="none").chat.completions.create(
        model="user", messages=[{"role": "system", "content": intent}], max_tokens=64
    )
    user = create_llm_simulated_user(
        system=intent,
        client=ChatOpenAI(model="user:flipped", base_url=chosen.base_url, api_key="none", max_tokens=64),
        fixed_responses=[opening.choices[0].message.content or ""],
    )
    result = run_multiturn_simulation(
        app=assistant, user=user, max_turns=chosen.turns, stopping_condition=has_left, thread_id="1"
    )
    for message in result["trajectory"]:
        print(f"{message['role']}: {message['content']}")


if __name__ == "__main__":
    main()
