"""A talk in the terminal: lines in, turns out, and three commands."""

from rich.console import Console
from rich.text import Text

from turnabout.errors import ModelError
from turnabout.serving.conversation import Talk

AGAIN, INTENT, QUIT = "/again", "/intent", "/quit"


class Terminal:
    """Reads what the person types and shows what the model says, until /quit, the end of the input or Ctrl-C."""

    def __init__(self, talk: Talk, console: Console) -> None:
        self.talk = talk
        self.console = console
        self.has_left = False

    def run(self) -> None:
        """Talk until the person ends it."""
        plays_user = self.talk.speaks == "user"
        self._tell(f"{AGAIN} draws the last turn anew, {QUIT} ends.")
        try:
            if plays_user:
                self._tell(f"You are the assistant. {INTENT} TEXT starts over with a user who wants that.")
                self._begin(self.talk.intent or "")
            while (line := self.console.input("assistant (you): " if plays_user else "you: ").strip()) != QUIT:
                self._take(line)
        except (EOFError, KeyboardInterrupt):
            self.console.print()

    def _take(self, line: str) -> None:
        """One line: a command, or a message."""
        command, _, rest = line.partition(" ")
        if command == AGAIN and self._can_draw_again():
            self.talk.take_back()
            self._answer()
        elif command == INTENT and self.talk.speaks == "user":
            self._begin(rest.strip() or self.talk.intent or "")
        elif line.startswith("/"):
            self._tell(f"{command} cannot be done here; there are {AGAIN}, {QUIT}, and with a user model {INTENT} TEXT")
        elif self.has_left:
            self._tell(f"The user has left and hears nothing. {AGAIN} has them think again, {INTENT} starts over.")
        elif line:
            self.talk.hear(line)
            self._answer()

    def _can_draw_again(self) -> bool:
        return self.talk.speaks == "user" or bool(self.talk.history)

    def _begin(self, intent: str) -> None:
        self.talk.begin(intent)
        self._tell(f"intent: {intent}")
        self._answer()

    def _answer(self) -> None:
        """Show the model's turn; a message that it cannot read is told and forgotten."""
        self.has_left = False
        try:
            turn = self.talk.answer()
        except ModelError as error:
            del self.talk.history[-1:]
            self._tell(str(error))
            return
        if turn.text or not turn.ended:
            self.console.print(Text(f"{self.talk.speaks}: ", style="bold"), Text(turn.text or "(nothing)"), sep="")
        if turn.ended:
            self.has_left = True
            self._tell("The user leaves.")

    def _tell(self, text: str) -> None:
        self.console.print(Text(text, style="dim"))
