"""Use the served user model in MLflow's ConversationSimulator.

MLflow's own user agent puts persona, goal and history into one prompt for an assistant model, which a user model cannot
read. MLflow takes another agent by `user_agent_class`. After each reply, MLflow also asks a judge whether the goal was
reached. Here the user decides that by ending the conversation, so `_check_goal_achieved` is overridden, because there
is no public option for it.
"""

import argparse
from typing import Any

import mlflow
import openai
from mlflow.genai.simulators import BaseSimulatedUserAgent, ConversationSimulator, SimulatorContext

END_OF_CONVERSATION = "<|endconversation|>"


class ServedUser(BaseSimulatedUserAgent):
    """The user of `turnabout serve-user`.

    `base_url` comes from the simulator's own parameters.
    """

    def generate_message(self, context: SimulatorContext) -> str:
        """Return the next user turn.

        It ends with `END_OF_CONVERSATION` if the user ends the conversation.
        """
        client = openai.OpenAI(base_url=self.inference_params["base_url"], api_key="none")
        messages: list[Any] = [{"role": "system", "content": context.goal}, *context.conversation_history]
        answer = client.chat.completions.create(model=self.model, messages=messages, max_tokens=64)
        return answer.choices[0].message.content or ""


class UserEndedSimulator(ConversationSimulator):
    """A simulator without a judge: only the user ends the conversation."""

    def _check_goal_achieved(self, conversation_history: list[dict[str, Any]], last_response: str, goal: str) -> bool:
        return False


def answer_user(messages: list[dict[str, Any]], **_: Any) -> dict[str, Any]:
    """Return the reply of the assistant under test: put yours here.

    After the user has ended the conversation, the reply is empty, which ends the simulation.
    """
    text = messages[-1]["content"]
    reply = "" if END_OF_CONVERSATION in text else f"You said: {text}"
    return {"choices": [{"message": {"role": "assistant", "content": reply}}]}


def main() -> None:
    """Simulate one conversation for each of two goals."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--base-url", default="http://127.0.0.1:8010/v1")
    options.add_argument("--turns", type=int, default=4)
    chosen = options.parse_args()
    mlflow.set_experiment("simulations")
    goals = [
        f"You are a user chatting with an assistant language model to talk about {topic}."
        for topic in ("trains", "bread")
    ]
    simulator = UserEndedSimulator(
        test_cases=[{"goal": goal} for goal in goals],
        max_turns=chosen.turns,
        user_model="user",
        user_agent_class=ServedUser,
        base_url=chosen.base_url,
    )
    for goal, traces in zip(goals, simulator.simulate(answer_user), strict=True):
        print(f"{len(traces)} turns for: {goal}")


if __name__ == "__main__":
    main()
