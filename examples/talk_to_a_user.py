"""A conversation with the served user model by the plain `openai` client, streamed, until the user leaves."""

import argparse

import openai

LEFT = "<|endconversation|>"


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--base-url", default="http://127.0.0.1:8010/v1")
    options.add_argument("--about", default="a trip by train")
    options.add_argument("--turns", type=int, default=6)
    chosen = options.parse_args()
    client = openai.OpenAI(base_url=chosen.base_url, api_key="none")
    intent = f"You are a user chatting with an assistant language model to talk about {chosen.about}."
    messages = [{"role": "system", "content": intent}]
    for _ in range(chosen.turns):
        turn = next_turn(client, messages)
        print(f"user: {turn}")
        if LEFT in turn:
            break
        messages.append({"role": "user", "content": turn})
        messages.append({"role": "assistant", "content": assistant(turn)})


def next_turn(client: openai.OpenAI, messages: list[dict[str, str]]) -> str:
    """What the user says next."""
    stream = client.chat.completions.create(model="user", messages=messages, max_tokens=64, stream=True)
    return "".join(chunk.choices[0].delta.content or "" for chunk in stream)


def assistant(text: str) -> str:
    """The assistant under test: put yours here."""
    reply = f"You said: {text}"
    print(f"assistant: {reply}")
    return reply


if __name__ == "__main__":
    main()
