"""Fakes for tests of code that calls endpoints.

They are a server on the loopback interface and a clock that does not wait:

    with FaultyEndpoint(fail_randomly(0.3, seed=1)) as server:
        config = OpenAI(model="m", base_url=server.url, key=None)
        answers = config.open(context).generate(prompts, Sampling(20))
    assert max(server.answered.values()) == 1  # no prompt was paid for twice

The server answers chat completions, fails as a plan says, and counts what a paid server would charge. The module needs
no network and no model.
"""

import asyncio
import json
import random
import threading
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from turnabout.generation.endpoint.client import Clock

#: The ways in which a call can fail.
FAULTS = ("429", "500", "hang", "truncated body", "cut JSON", "not JSON")

#: The outcome of the n-th attempt (from 0) of a prompt: one of `FAULTS`, "answer", or a status with its JSON body. The
#: body's entry `headers`, if any, is sent as headers.
Outcome = str | tuple[int, dict[str, Any]]
Plan = Callable[[str, int], Outcome]


def always_answer(prompt: str, attempt: int) -> str:
    """Answer every call: the plan of a server without faults."""
    return "answer"


def fail_randomly(share: float, seed: int) -> Plan:
    """Return a plan in which each attempt fails with probability `share`.

    It fails in each way equally often. The same prompt and attempt always have the same outcome.
    """

    def plan(prompt: str, attempt: int) -> str:
        """Draw the outcome of one attempt."""
        chance = random.Random(f"{seed} {attempt} {prompt}")
        return chance.choice(FAULTS) if chance.random() < share else "answer"

    return plan


def echo(body: dict[str, Any]) -> dict[str, Any]:
    """Return a chat completion that repeats the last message.

    A word counts as a token.
    """
    text = body["messages"][-1]["content"]
    usage = {"prompt_tokens": sum(len(m["content"].split()) for m in body["messages"]), "completion_tokens": 4}
    message = {"role": "assistant", "content": f"answer to {text}"}
    return {"choices": [{"index": 0, "message": message, "finish_reason": "stop"}], "usage": usage}


class FaultyEndpoint:
    """A chat completions server that fails as `plan` says.

    It runs while the context is entered. `url` is the `base_url` of its clients. `bodies` has every call that was sent,
    `keys` every authorization header, `attempts` the calls by prompt, `outcomes` the calls by outcome, `answered` the
    whole answers by prompt (more than one of a prompt was paid for twice), `max_at_once` the largest number of calls
    under way at the same time. A prompt is its `messages` as JSON.

    `retry_after_s` is what a 429 asks to wait, `hang_s` how long a hanging call is held before its connection is
    closed, both in seconds; the end of the context ends all hanging calls.
    """

    def __init__(
        self,
        plan: Plan = always_answer,
        answer: Callable[[dict[str, Any]], dict[str, Any]] = echo,
        *,
        retry_after_s: float = 0.1,
        hang_s: float = 6.0,
    ) -> None:
        self.plan = plan
        self.answer = answer
        self.retry_after_s = retry_after_s
        self.hang_s = hang_s
        self.bodies: list[dict[str, Any]] = []
        self.keys: set[str] = set()
        self.attempts: Counter[str] = Counter()
        self.answered: Counter[str] = Counter()
        self.outcomes: Counter[str] = Counter()
        self.max_at_once = 0
        self.n_at_once = 0
        self._closing = threading.Event()
        self._lock = threading.Lock()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _make_handler(self))
        self._server.daemon_threads = True

    def __enter__(self) -> "FaultyEndpoint":
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._closing.set()
        self._server.shutdown()
        self._server.server_close()

    @property
    def url(self) -> str:
        """The `base_url` of this server."""
        return f"http://127.0.0.1:{self._server.server_port}/v1"

    def handle_call(self, handler: BaseHTTPRequestHandler) -> None:
        """Read one call, record it, and respond as planned."""
        length = int(handler.headers["Content-Length"])
        content = handler.rfile.read(length)
        if len(content) < length:
            return  # the client was killed
        body = json.loads(content)
        prompt = json.dumps(body["messages"])
        with self._lock:
            outcome = self.plan(prompt, self.attempts[prompt])
            self.attempts[prompt] += 1
            self.bodies.append(body)
            self.keys.add(handler.headers.get("Authorization", ""))
            self.outcomes[outcome if isinstance(outcome, str) else str(outcome[0])] += 1
            self.n_at_once += 1
            self.max_at_once = max(self.max_at_once, self.n_at_once)
        try:
            self._respond(handler, outcome, prompt, body)
        finally:
            with self._lock:
                self.n_at_once -= 1

    def _respond(self, handler: BaseHTTPRequestHandler, outcome: Outcome, prompt: str, body: dict[str, Any]) -> None:
        whole = json.dumps(self.answer(body)).encode()
        match outcome:
            case "answer":
                with self._lock:
                    self.answered[prompt] += 1
                _send(handler, 200, whole)
            case "429":
                _send(handler, 429, b'{"error": {"message": "slow down"}}', {"Retry-After": str(self.retry_after_s)})
            case "500":
                _send(handler, 500, b"<h1>Internal Server Error</h1>")
            case "hang":
                self._closing.wait(self.hang_s)
                handler.close_connection = True
            case "truncated body":
                _send(handler, 200, whole[: len(whole) // 2], {"Content-Length": str(len(whole))})
                handler.close_connection = True
            case "cut JSON":
                _send(handler, 200, whole[: len(whole) // 2])
            case "not JSON":
                _send(handler, 200, b"<html>Bad gateway</html>")
            case (int(status), dict(content)):
                _send(handler, status, json.dumps(content).encode(), content.get("headers", {}))


class ManualClock(Clock):
    """A clock that advances by every wait instead of waiting.

    `waits` has the waits above 0, in seconds.
    """

    def __init__(self) -> None:
        self.time = 0.0
        self.waits: list[float] = []

    def now(self) -> float:
        """Return the sum of all waits so far."""
        return self.time

    async def wait(self, event: asyncio.Event, seconds: float) -> None:
        """Let other tasks run once, then advance the clock unless the event is set."""
        await asyncio.sleep(0)
        if seconds > 0 and not event.is_set():
            self.waits.append(seconds)
            self.time += seconds


def _send(handler: BaseHTTPRequestHandler, status: int, content: bytes, headers: dict[str, str] | None = None) -> None:
    all_headers = {"Content-Type": "application/json", "Content-Length": str(len(content)), **(headers or {})}
    handler.send_response(status)
    for name, value in all_headers.items():
        handler.send_header(name, value)
    handler.end_headers()
    handler.wfile.write(content)


def _make_handler(endpoint: FaultyEndpoint) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        """Passes every call to the endpoint."""

        protocol_version = "HTTP/1.1"

        def handle(self) -> None:
            """Answer the calls of one connection."""
            with suppress(ConnectionError):  # the client stopped waiting
                super().handle()

        def do_POST(self) -> None:
            """Answer one call."""
            endpoint.handle_call(self)

        def log_message(self, format: str, *args: Any) -> None:
            """Print nothing: errors are intended."""

    return Handler
