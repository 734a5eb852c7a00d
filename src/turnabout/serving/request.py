"""Requests to `/v1/chat/completions`; unsupported fields are refused."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from turnabout.serving.refusals import RefusedRequest

#: Largest number of turns of one request.
MAX_DRAWS = 32

#: Fields that cannot change a user's turn; they are accepted and ignored.
IGNORED_FIELDS = {
    "user",
    "metadata",
    "store",
    "service_tier",
    "parallel_tool_calls",
    "tool_choice",
    "safety_identifier",
}


class ContentPart(BaseModel):
    """One part of a message's content; a user model reads only text."""

    type: Literal["text"]
    text: str


class RequestMessage(BaseModel):
    """One message of a request.

    `views.py` says which roles are allowed. Other fields of assistant messages, such as tool calls, are ignored,
    because the person does not see them.
    """

    role: str
    content: list[ContentPart] | str | None = None

    @property
    def text(self) -> str:
        """The text of the message, with its parts joined."""
        parts = self.content if isinstance(self.content, list) else []
        return self.content if isinstance(self.content, str) else "".join(part.text for part in parts)


class StreamOptions(BaseModel):
    """Options of a stream: whether its last event holds the number of tokens."""

    include_usage: bool = False


class ChatRequest(BaseModel):
    """The body of a request; `docs/serving.md` says what null or absent means."""

    model_config = ConfigDict(extra="allow", frozen=True)

    model: str
    messages: list[RequestMessage]
    temperature: float | None = Field(None, ge=0, le=2)
    top_p: float | None = Field(None, gt=0, le=1)
    n: int | None = Field(None, ge=1, le=MAX_DRAWS)
    seed: int | None = None
    max_tokens: int | None = Field(None, ge=1)
    max_completion_tokens: int | None = Field(None, ge=1)
    stop: Annotated[list[str], Field(max_length=4)] | str | None = None
    stream: bool | None = None
    stream_options: StreamOptions | None = None

    @property
    def stop_texts(self) -> list[str]:
        """The texts before which a turn is cut."""
        given = [self.stop] if isinstance(self.stop, str) else self.stop or []
        return [text for text in given if text]

    @property
    def wants_usage(self) -> bool:
        """Whether a stream ends with the number of tokens."""
        return self.stream_options is not None and self.stream_options.include_usage

    def check_fields(self) -> None:
        """Raise `RefusedRequest` for a field that a user model does not support.

        Fields with empty values are ignored.
        """
        extra = self.model_extra or {}
        requested: dict[str, Any] = {name: v for name, v in extra.items() if v and v != {"type": "text"}}
        if refused := sorted(requested.keys() - IGNORED_FIELDS):
            supported = sorted(type(self).model_fields)
            message = f"{', '.join(refused)}: not supported by a user model; supported are {supported}"
            raise RefusedRequest(message, refused[0])
