"""A talk in the terminal: lines in, turns out, and three commands."""

from rich.console import Console
from rich.text import Text

from turnabout.errors import ModelError
from turnabout.serving.conversation import ChatSession

AGAIN, INTENT, QUIT = "/again", "/intent", "/quit"


class Terminal:
    """Reads what the person types and shows what the model says, until /quit, the end of the input or Ctrl-C."""

    def __init__(self, session: ChatSession, console: Console) -> None:
        self.session = session
        self.console = console
        self.has_left = False

    def run(self) -> None:
        """Talk until the person ends it."""
        plays_user = self.session.role == "user"
        self._print_note(f"{AGAIN} draws the last turn anew, {QUIT} ends.")
        try:
            if plays_user:
                self._print_note(f"You are the assistant. {INTENT} TEXT starts over with a user who wants that.")
                self._restart(self.session.intent or "")
            while (line := self.console.input("assistant (you): " if plays_user else "you: ").strip()) != QUIT:
                self._handle_line(line)
        except (EOFError, KeyboardInterrupt):
            self.console.print()

    def _handle_line(self, line: str) -> None:
        """One line: a command, or a message."""
        command, _, rest = line.partition(" ")
        if command == AGAIN and self._can_draw_again():
            self.session.undo_last_turn()
            self._show_turn()
        elif command == INTENT and self.session.role == "user":
            self._restart(rest.strip() or self.session.intent or "")
        elif line.startswith("/"):
            self._print_note(f"{command} cannot be done here; there are {AGAIN}, {QUIT}, and with a user model {INTENT} TEXT")
        elif self.has_left:
            self._print_note(f"The user has left and hears nothing. {AGAIN} has them think again, {INTENT} starts over.")
        elif line:
            self.session.add_message(line)
            self._show_turn()

    def _can_draw_again(self) -> bool:
        return self.session.role == "user" or bool(self.session.history)

    def _restart(self, intent: str) -> None:
        self.session.restart(intent)
        self._print_note(f"intent: {intent}")
        self._show_turn()

    def _show_turn(self) -> None:
        """Show the model's turn; a message that it cannot read is told and forgotten."""
        self.has_left = False
        try:
            turn = self.session.generate_turn()
        except ModelError as error:
            del self.session.history[-1:]
            self._print_note(str(error))
            return
        if turn.text or not turn.ended:
            self.console.print(Text(f"{self.session.role}: ", style="bold"), Text(turn.text or "(nothing)"), sep="")
        if turn.ended:
            self.has_left = True
            self._print_note("The user leaves.")

    def _print_note(self, text: str) -> None:
        self.console.print(Text(text, style="dim"))
