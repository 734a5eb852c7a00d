"""Errors of the server, in OpenAI's format.

The body is `{"error": {"message", "type", "param", "code"}}`.
"""

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from turnabout.errors import TurnaboutError


class RefusedRequest(TurnaboutError, ValueError):
    """A request that cannot be answered.

    `param` is the field at fault, `code` OpenAI's error code, if it has one, and `status` the HTTP status code.
    """

    def __init__(self, message: str, param: str | None = None, code: str | None = None, status: int = 400) -> None:
        super().__init__(message)
        self.param, self.code, self.status = param, code, status


def register_error_handlers(app: FastAPI) -> None:
    """Make `app` return every error in OpenAI's format."""
    app.add_exception_handler(RefusedRequest, _answer_refused_request)
    app.add_exception_handler(RequestValidationError, _answer_invalid_body)
    app.add_exception_handler(HTTPException, _answer_http_error)
    app.add_exception_handler(Exception, _answer_server_error)


def _answer_refused_request(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RefusedRequest)
    return _build_error_response(error.status, str(error), param=error.param, code=error.code)


def _answer_invalid_body(_: Request, error: Exception) -> JSONResponse:
    """Name the first invalid field.

    The body is not repeated, because it may be a whole conversation.
    """
    assert isinstance(error, RequestValidationError)
    first = error.errors()[0]
    param = ".".join(str(part) for part in first["loc"][1:]) or None
    return _build_error_response(400, f"{param or 'the body'}: {first['msg']}", param=param)


def _answer_http_error(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    call = f"{request.method} {request.url.path}"
    message = f"{call}: {error.detail}; there are POST /v1/chat/completions, GET /v1/models"
    return _build_error_response(error.status_code, message)


def _answer_server_error(_: Request, error: Exception) -> JSONResponse:
    """Report an error of the server; the traceback goes to its log only."""
    message = f"the server failed with {type(error).__name__}; the traceback is in its log"
    return _build_error_response(500, message, kind="server_error")


def _build_error_response(
    status: int, message: str, *, param: str | None = None, code: str | None = None, kind: str = "invalid_request_error"
) -> JSONResponse:
    return JSONResponse({"error": {"message": message, "type": kind, "param": param, "code": code}}, status)
