"""A server on loopback that answers chat completions like a paid one on a bad day, and counts what it would charge."""

import json
import random
import threading
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

#: What may happen to a call; "answer" is a whole one.
FAULTS = ("429", "500", "hang", "truncated body", "cut JSON", "not JSON")

#: Seconds that a 429 asks to wait, and that a hanging call is held before its line is cut.
RETRY_AFTER_S, HANG_S = 0.1, 6.0

#: What happens to the n-th try (from 0) of a prompt: one of `FAULTS`, "answer", or a status with its body.
Fate = Callable[[str, int], str | tuple[int, dict[str, Any]]]


def unlucky(share: float, seed: int) -> Fate:
    """Each try fails with this probability, in each way alike; the same prompt and try always in the same way."""

    def fate(prompt: str, attempt: int) -> str:
        chance = random.Random(f"{seed} {attempt} {prompt}")
        return chance.choice(FAULTS) if chance.random() < share else "answer"

    return fate


def echo(body: dict[str, Any]) -> dict[str, Any]:
    """A chat completion that repeats the last message; a token is a word."""
    said = body["messages"][-1]["content"]
    usage = {"prompt_tokens": sum(len(m["content"].split()) for m in body["messages"]), "completion_tokens": 4}
    message = {"role": "assistant", "content": f"answer to {said}"}
    return {"choices": [{"index": 0, "message": message, "finish_reason": "stop"}], "usage": usage}


class FaultyEndpoint:
    """The server, while it is entered; `url` is what `base_url` must be."""

    def __init__(self, fate: Fate, answer: Callable[[dict[str, Any]], dict[str, Any]] = echo) -> None:
        self.fate = fate
        self.answer = answer
        self.asked: list[dict[str, Any]] = []
        self.keys: set[str] = set()
        self.tries: Counter[str] = Counter()
        self.answered: Counter[str] = Counter()
        """Whole answers by prompt: more than one of a prompt was paid twice."""
        self.fates: Counter[str] = Counter()
        self.most_at_once = 0
        self._at_once = 0
        self._lock = threading.Lock()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._server.daemon_threads = True

    def __enter__(self) -> "FaultyEndpoint":
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}/v1"

    def take(self, handler: BaseHTTPRequestHandler) -> None:
        """Answer one call as it is fated."""
        length = int(handler.headers["Content-Length"])
        sent = handler.rfile.read(length)
        if len(sent) < length:
            return  # the client was killed
        body = json.loads(sent)
        prompt = json.dumps(body["messages"])
        with self._lock:
            fate = self.fate(prompt, self.tries[prompt])
            self.tries[prompt] += 1
            self.asked.append(body)
            self.keys.add(handler.headers.get("Authorization", ""))
            self.fates[fate if isinstance(fate, str) else str(fate[0])] += 1
            self._at_once += 1
            self.most_at_once = max(self.most_at_once, self._at_once)
        try:
            self._act(handler, fate, prompt, body)
        finally:
            with self._lock:
                self._at_once -= 1

    def _act(
        self, handler: BaseHTTPRequestHandler, fate: str | tuple[int, dict[str, Any]], prompt: str, body: dict[str, Any]
    ) -> None:
        whole = json.dumps(self.answer(body)).encode()
        match fate:
            case "answer":
                with self._lock:
                    self.answered[prompt] += 1
                _send(handler, 200, whole)
            case "429":
                _send(handler, 429, b'{"error": {"message": "slow down"}}', {"Retry-After": str(RETRY_AFTER_S)})
            case "500":
                _send(handler, 500, b"<h1>Internal Server Error</h1>")
            case "hang":
                time.sleep(HANG_S)
                handler.close_connection = True
            case "truncated body":
                _send(handler, 200, whole[: len(whole) // 2], {"Content-Length": str(len(whole))})
                handler.close_connection = True
            case "cut JSON":
                _send(handler, 200, whole[: len(whole) // 2])
            case "not JSON":
                _send(handler, 200, b"<html>Bad gateway</html>")
            case (int(status), dict(said)):
                _send(handler, status, json.dumps(said).encode(), said.get("headers", {}))


def _send(handler: BaseHTTPRequestHandler, status: int, content: bytes, headers: dict[str, str] | None = None) -> None:
    handler.send_response(status)
    for name, value in {
        "Content-Type": "application/json",
        "Content-Length": str(len(content)),
        **(headers or {}),
    }.items():
        handler.send_header(name, value)
    handler.end_headers()
    handler.wfile.write(content)


def _handler(endpoint: FaultyEndpoint) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def handle(self) -> None:
            with suppress(ConnectionError):  # the client stopped waiting
                super().handle()

        def do_POST(self) -> None:
            endpoint.take(self)

        def log_message(self, format: str, *args: Any) -> None:
            """Say nothing: faults are meant."""

    return Handler
