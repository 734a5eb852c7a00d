"""Use the served user model in openevals' multi-turn simulation.

It needs `pip install openevals`. openevals plays the user with an assistant model and exchanges the roles for it, so
this script asks for `user:flipped`. The first message of openevals would be an instruction to begin, which a user model
takes for a message of the assistant. Therefore the opening comes from the server, in the natural view.
"""

import argparse
from typing import Any

import openai
from langchain_openai import ChatOpenAI
from openevals.simulators import create_llm_simulated_user, run_multiturn_simulation

END_OF_CONVERSATION = "<|endconversation|>"


def answer_user(message: dict[str, Any], **_: Any) -> dict[str, str]:
    """Return the reply of the assistant under test: put yours here."""
    return {"role": "assistant", "content": f"You said: {message['content']}"}


def has_ended(trajectory: list[dict[str, Any]], **_: Any) -> bool:
    """Return whether the user ended the conversation.

    openevals calls this after each reply.
    """
    return any(END_OF_CONVERSATION in message["content"] for message in trajectory if message["role"] == "user")


def main() -> None:
    """Print one simulated conversation."""
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
        app=answer_user, user=user, max_turns=chosen.turns, stopping_condition=has_ended, thread_id="1"
    )
    for message in result["trajectory"]:
        print(f"{message['role']}: {message['content']}")


if __name__ == "__main__":
    main()
