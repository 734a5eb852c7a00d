"""Tests of the endpoint client with a real server, `transformers serve`.

It serves a tiny random model on the loopback interface.
"""

import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from turnabout.core.messages import Message
from turnabout.errors import EndpointError
from turnabout.generation import Sampling
from turnabout.generation.endpoint.generator import RemoteGenerator
from turnabout.generation.local.generator import LocalGenerator
from turnabout.models.checkpoints import load_checkpoint

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

Build = Callable[..., RemoteGenerator]
PROMPTS: list[list[Message]] = [
    [{"role": "user", "content": text}] for text in ("hi", "what now?", "a longer question")
]


@pytest.fixture(scope="module")
def address(tiny_checkpoint: Path) -> Iterator[str]:
    """The `base_url` of the server, which is ready after about 10 seconds."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    serve = str(Path(sys.executable).with_name("transformers"))
    command = [serve, "serve", str(tiny_checkpoint), "--device", "cpu", "--dtype", "float32", "--port", str(port)]
    environment = {**os.environ, "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"}
    server = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        _wait_for(f"http://127.0.0.1:{port}/health", server)
        yield f"http://127.0.0.1:{port}/v1"
    finally:
        server.terminate()
        server.wait(20)


def _wait_for(url: str, server: "subprocess.Popen[bytes]") -> None:
    for _ in range(400):
        assert server.poll() is None, "the server stopped"
        try:
            urllib.request.urlopen(url, timeout=1)
        except (urllib.error.URLError, TimeoutError):
            time.sleep(0.3)
        else:
            return
    pytest.fail(f"{url} did not answer")


def test_real_server_writes_the_same_as_the_local_model(generator: Build, address: str, tiny_checkpoint: Path) -> None:
    remote = generator(address, model=str(tiny_checkpoint), key=None, timeout_s=60, concurrency=3)
    local = LocalGenerator(load_checkpoint(tiny_checkpoint, "float32"), "assistant", batch_size=1)
    answers = remote.generate(PROMPTS, Sampling(8))
    assert [(a.text, a.truncated) for a in answers] == [
        (a.text, a.truncated) for a in local.generate(PROMPTS, Sampling(8))
    ]
    chat = local.checkpoint.chat
    assert remote.calls.account.used.input_tokens == sum(
        len(chat.encode_prompt(prompt, "assistant")) for prompt in PROMPTS
    )
    assert remote.calls.account.used.output_tokens == 3 * 8


def test_error_names_a_model_that_a_real_server_lacks(generator: Build, address: str) -> None:
    with pytest.raises(EndpointError, match="'no/such-model' at http"):
        generator(address, model="no/such-model", key=None, timeout_s=60, retries=0).generate(PROMPTS[:1], Sampling(8))


def test_score_explains_a_real_server_without_logprobs(generator: Build, address: str, tiny_checkpoint: Path) -> None:
    with pytest.raises(EndpointError, match=r"prompt_logprobs.*\nthis endpoint cannot score"):
        generator(address, model=str(tiny_checkpoint), key=None, timeout_s=60).score(PROMPTS[:1], [["yes"]])
