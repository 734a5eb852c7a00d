"""The web server: OpenAI's chat completions and models for one user model."""

from typing import Any

from fastapi import FastAPI
from fastapi.responses import JSONResponse, Response, StreamingResponse

from turnabout.serving.refusals import RefusedRequest, register_error_handlers
from turnabout.serving.request import ChatRequest
from turnabout.serving.response import build_completion, stream_events
from turnabout.serving.user_player import UserPlayer
from turnabout.serving.views import SPEAKERS


def build_app(player: UserPlayer) -> FastAPI:
    """Build the application in which `player` is the user.

    It loads nothing from elsewhere and needs no key.
    """
    app = FastAPI(title="turnabout serve-user", docs_url=None, redoc_url=None)
    register_error_handlers(app)

    @app.post("/v1/chat/completions")
    def chat_completions(request: ChatRequest) -> Response:
        """Return the user's next turn.

        The turn is generated before its stream begins, so that every error has its status code.
        """
        answer = player.answer_request(request)
        if request.stream:
            return StreamingResponse(stream_events(answer, request), media_type="text/event-stream")
        return JSONResponse(build_completion(answer, request))

    @app.get("/v1/models")
    def list_models() -> dict[str, Any]:
        """Return both views of the user model."""
        return {"object": "list", "data": [_describe_model(name) for name in SPEAKERS]}

    @app.get("/v1/models/{name}")
    def retrieve_model(name: str) -> dict[str, Any]:
        """Return one view of the user model."""
        if name not in SPEAKERS:
            message = f"model '{name}' is not served; there are {list(SPEAKERS)}"
            raise RefusedRequest(message, "model", code="model_not_found", status=404)
        return _describe_model(name)

    return app


def _describe_model(name: str) -> dict[str, Any]:
    return {"id": name, "object": "model", "created": 0, "owned_by": "turnabout"}
