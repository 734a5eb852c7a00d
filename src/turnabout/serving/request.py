"""What a caller of `/v1/chat/completions` may ask for; everything else is refused by name."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from turnabout.serving.refusals import RefusedRequest

MAX_DRAWS = 32

#: Fields that change nothing about a user's turn, and are therefore read and not minded.
IGNORED_FIELDS = {"user", "metadata", "store", "service_tier", "parallel_tool_calls", "tool_choice", "safety_identifier"}


class ContentPart(BaseModel):
    """One piece of a message's content; a user model reads text alone."""

    type: Literal["text"]
    text: str


class RequestMessage(BaseModel):
    """One message. Which roles are allowed `views.py` says; what assistants add, such as tool calls, nobody sees."""

    role: str
    content: list[ContentPart] | str | None = None

    @property
    def text(self) -> str:
        """The words."""
        parts = self.content if isinstance(self.content, list) else []
        return self.content if isinstance(self.content, str) else "".join(part.text for part in parts)


class StreamOptions(BaseModel):
    """Whether the last event of a stream counts the tokens."""

    include_usage: bool = False


class ChatRequest(BaseModel):
    """A body of `/v1/chat/completions`. What is null or absent is as `docs/serving.md` says."""

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
        """Raise `Refused` for a field that asks for what a user model cannot do. Empty values ask for nothing."""
        asked: dict[str, Any] = {k: v for k, v in (self.model_extra or {}).items() if v and v != {"type": "text"}}
        if refused := sorted(asked.keys() - IGNORED_FIELDS):
            taken = sorted(type(self).model_fields)
            raise RefusedRequest(f"{', '.join(refused)} came, which a user model cannot do; taken are {taken}", refused[0])
