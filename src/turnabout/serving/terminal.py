"""A chat in the terminal: lines in, turns out, and three commands."""

from rich.console import Console
from rich.text import Text

from turnabout.errors import ModelError
from turnabout.serving.chat_session import ChatSession

AGAIN, INTENT, QUIT = "/again", "/intent", "/quit"


class Terminal:
    """A loop that reads lines of the person and prints turns of the model."""

    def __init__(self, session: ChatSession, console: Console) -> None:
        self.session = session
        self.console = console
        self.has_ended = False

    def run(self) -> None:
        """Chat until /quit, the end of the input or Ctrl-C."""
        plays_user = self.session.role == "user"
        self._print_note(f"{AGAIN} generates the last turn again, {QUIT} ends the chat.")
        try:
            if plays_user:
                self._print_note(f"You are the assistant. {INTENT} TEXT starts over with a user of that intent.")
                self._restart(self.session.intent or "")
            while (line := self.console.input("assistant (you): " if plays_user else "you: ").strip()) != QUIT:
                self._handle_line(line)
        except (EOFError, KeyboardInterrupt):
            self.console.print()

    def _handle_line(self, line: str) -> None:
        """Run a command, or answer a message."""
        command, _, rest = line.partition(" ")
        if command == AGAIN and self._can_draw_again():
            self.session.undo_last_turn()
            self._show_turn()
        elif command == INTENT and self.session.role == "user":
            self._restart(rest.strip() or self.session.intent or "")
        elif line.startswith("/"):
            self._print_note(
                f"{command} is not available here; there are {AGAIN}, {QUIT}, and with a user model {INTENT} TEXT"
            )
        elif self.has_ended:
            self._print_note(
                f"The user has ended the conversation. {AGAIN} generates their turn again, {INTENT} starts over."
            )
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
        """Print the model's next turn.

        If the last message is too long for the model, an error is printed and the message is removed.
        """
        self.has_ended = False
        try:
            turn = self.session.generate_turn()
        except ModelError as error:
            del self.session.history[-1:]
            self._print_note(str(error))
            return
        if turn.text or not turn.ended:
            self.console.print(Text(f"{self.session.role}: ", style="bold"), Text(turn.text or "(nothing)"), sep="")
        if turn.ended:
            self.has_ended = True
            self._print_note("The user ends the conversation.")

    def _print_note(self, text: str) -> None:
        self.console.print(Text(text, style="dim"))
