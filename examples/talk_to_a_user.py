"""Talk to the served user model with the plain `openai` client.

The conversation is streamed until the user ends it.
"""

import argparse

import openai
from openai.types.chat import ChatCompletionMessageParam

END_OF_CONVERSATION = "<|endconversation|>"


def main() -> None:
    """Print a conversation between the user and the assistant."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--base-url", default="http://127.0.0.1:8010/v1")
    options.add_argument("--about", default="a trip by train")
    options.add_argument("--turns", type=int, default=6)
    chosen = options.parse_args()
    client = openai.OpenAI(base_url=chosen.base_url, api_key="none")
    intent = f"You are a user chatting with an assistant language model to talk about {chosen.about}."
    messages: list[ChatCompletionMessageParam] = [{"role": "system", "content": intent}]
    for _ in range(chosen.turns):
        turn = request_turn(client, messages)
        print(f"user: {turn}")
        if END_OF_CONVERSATION in turn:
            break
        messages.append({"role": "user", "content": turn})
        messages.append({"role": "assistant", "content": answer_user(turn)})


def request_turn(client: openai.OpenAI, messages: list[ChatCompletionMessageParam]) -> str:
    """Return the user's next turn."""
    stream = client.chat.completions.create(model="user", messages=messages, max_tokens=64, stream=True)
    return "".join(chunk.choices[0].delta.content or "" for chunk in stream)


def answer_user(text: str) -> str:
    """Return the reply of the assistant under test: put yours here."""
    reply = f"You said: {text}"
    print(f"assistant: {reply}")
    return reply


if __name__ == "__main__":
    main()
