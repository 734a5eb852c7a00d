"""The server: OpenAI's chat completions and list of models, answered by one user model."""

from typing import Any

from fastapi import FastAPI
from fastapi.responses import JSONResponse, Response, StreamingResponse

from turnabout.serving.refusals import RefusedRequest, register_error_handlers
from turnabout.serving.request import ChatRequest
from turnabout.serving.response import build_completion, stream_events
from turnabout.serving.user_player import UserPlayer
from turnabout.serving.views import SPEAKERS


def build_app(player: UserPlayer) -> FastAPI:
    """An application whose user is `player`. It loads nothing from elsewhere and needs no key."""
    app = FastAPI(title="turnabout serve-user", docs_url=None, redoc_url=None)
    register_error_handlers(app)

    @app.post("/v1/chat/completions")
    def chat_completions(request: ChatRequest) -> Response:
        """The user's next turn; a turn is written before its stream begins, so that every error has its status."""
        answer = player.answer_request(request)
        if request.stream:
            return StreamingResponse(stream_events(answer, request), media_type="text/event-stream")
        return JSONResponse(build_completion(answer, request))

    @app.get("/v1/models")
    def models() -> dict[str, Any]:
        """Both views of the user."""
        return {"object": "list", "data": [_describe_model(name) for name in SPEAKERS]}

    @app.get("/v1/models/{name}")
    def model(name: str) -> dict[str, Any]:
        """One of them."""
        if name not in SPEAKERS:
            raise RefusedRequest(f"model '{name}' is not served; there are {list(SPEAKERS)}", "model", "model_not_found", 404)
        return _describe_model(name)

    return app


def _describe_model(name: str) -> dict[str, Any]:
    return {"id": name, "object": "model", "created": 0, "owned_by": "turnabout"}
