"""What the server will not answer, in OpenAI's error format: `{"error": {"message", "type", "param", "code"}}`."""

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from turnabout.errors import TurnaboutError


class RefusedRequest(TurnaboutError, ValueError):
    """A request that cannot be answered, the field at fault and OpenAI's code for it where it has one."""

    def __init__(self, message: str, param: str | None = None, code: str | None = None, status: int = 400) -> None:
        super().__init__(message)
        self.param, self.code, self.status = param, code, status


def register_error_handlers(app: FastAPI) -> None:
    """Make every error of `app` one that an OpenAI client understands."""
    app.add_exception_handler(RefusedRequest, _answer_refused_request)
    app.add_exception_handler(RequestValidationError, _answer_invalid_body)
    app.add_exception_handler(HTTPException, _answer_http_error)
    app.add_exception_handler(Exception, _answer_server_error)


def _answer_refused_request(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RefusedRequest)
    return _build_error_response(error.status, str(error), error.param, error.code)


def _answer_invalid_body(_: Request, error: Exception) -> JSONResponse:
    """The first field that is wrong; what came is not repeated, for it may be a whole conversation."""
    assert isinstance(error, RequestValidationError)
    first = error.errors()[0]
    param = ".".join(str(part) for part in first["loc"][1:]) or None
    return _build_error_response(400, f"{param or 'the body'}: {first['msg']}", param)


def _answer_http_error(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    told = f"{request.method} {request.url.path}: {error.detail}; there are POST /v1/chat/completions, GET /v1/models"
    return _build_error_response(error.status_code, told)


def _answer_server_error(_: Request, error: Exception) -> JSONResponse:
    """A fault of ours: its traceback is in the server's log, not in the answer."""
    return _build_error_response(500, f"the server failed: {type(error).__name__}; its log says where", kind="server_error")


def _build_error_response(
    status: int, message: str, param: str | None = None, code: str | None = None, kind: str = "invalid_request_error"
) -> JSONResponse:
    return JSONResponse({"error": {"message": message, "type": kind, "param": param, "code": code}}, status)
