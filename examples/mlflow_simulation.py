"""MLflow's ConversationSimulator with the served user model in place of its prompted one.

MLflow's own user agent puts persona, goal and history into one prompt for an assistant model, which a user model cannot
read. `user_agent_class` is MLflow's way to bring another one. After each reply MLflow also asks a judge whether the
goal was reached; here the user decides that by leaving, so `_check_goal_achieved` is overridden: there is no public
switch for it.
"""

import argparse
from typing import Any

import mlflow
import openai
from mlflow.genai.simulators import BaseSimulatedUserAgent, ConversationSimulator, SimulatorContext

LEFT = "<|endconversation|>"


class ServedUser(BaseSimulatedUserAgent):
    """The user of `turnabout serve-user`; `base_url` comes from the simulator's own parameters."""

    def generate_message(self, context: SimulatorContext) -> str:
        """The next user turn; it ends with `LEFT` where the user leaves."""
        client = openai.OpenAI(base_url=self.inference_params["base_url"], api_key="none")
        messages = [{"role": "system", "content": context.goal}, *context.conversation_history]
        answer = client.chat.completions.create(model=self.model, messages=messages, max_tokens=64)
        return answer.choices[0].message.content or ""


class UntilTheUserLeaves(ConversationSimulator):
    """A simulator without a judge of its own."""

    def _check_goal_achieved(self, conversation_history: list[dict[str, Any]], last_response: str, goal: str) -> bool:
        return False


def assistant(messages: list[dict[str, Any]], **_: Any) -> dict[str, Any]:
    """The assistant under test: put yours here. An empty reply, which nobody needs who has left, ends a simulation."""
    said = messages[-1]["content"]
    reply = "" if LEFT in said else f"You said: {said}"
    return {"choices": [{"message": {"role": "assistant", "content": reply}}]}


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--base-url", default="http://127.0.0.1:8010/v1")
    options.add_argument("--turns", type=int, default=4)
    chosen = options.parse_args()
    mlflow.set_experiment("simulations")
    goals = [
        f"You are a user chatting with an assistant language model to talk about {topic}."
        for topic in ("trains", "bread")
    ]
    simulator = UntilTheUserLeaves(
        test_cases=[{"goal": goal} for goal in goals],
        max_turns=chosen.turns,
        user_model="user",
        user_agent_class=ServedUser,
        base_url=chosen.base_url,
    )
    for goal, traces in zip(goals, simulator.simulate(assistant), strict=True):
        print(f"{len(traces)} turns for: {goal}")


if __name__ == "__main__":
    main()
