"""The server: OpenAI's chat completions and list of models, answered by one user model."""

from typing import Any

from fastapi import FastAPI
from fastapi.responses import JSONResponse, Response, StreamingResponse

from turnabout.serving.refusals import Refused, answer_in_openai_format
from turnabout.serving.request import ChatRequest
from turnabout.serving.response import completion, events
from turnabout.serving.user_player import Player
from turnabout.serving.views import SPEAKERS


def make_app(player: Player) -> FastAPI:
    """An application whose user is `player`. It loads nothing from elsewhere and needs no key."""
    app = FastAPI(title="turnabout serve-user", docs_url=None, redoc_url=None)
    answer_in_openai_format(app)

    @app.post("/v1/chat/completions")
    def chat_completions(request: ChatRequest) -> Response:
        """The user's next turn; a turn is written before its stream begins, so that every error has its status."""
        answer = player.answer(request)
        if request.stream:
            return StreamingResponse(events(answer, request), media_type="text/event-stream")
        return JSONResponse(completion(answer, request))

    @app.get("/v1/models")
    def models() -> dict[str, Any]:
        """Both views of the user."""
        return {"object": "list", "data": [_model(name) for name in SPEAKERS]}

    @app.get("/v1/models/{name}")
    def model(name: str) -> dict[str, Any]:
        """One of them."""
        if name not in SPEAKERS:
            raise Refused(f"model '{name}' is not served; there are {list(SPEAKERS)}", "model", "model_not_found", 404)
        return _model(name)

    return app


def _model(name: str) -> dict[str, Any]:
    return {"id": name, "object": "model", "created": 0, "owned_by": "turnabout"}
