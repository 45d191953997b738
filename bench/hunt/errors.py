"""What goes wrong with a hunt for a reason of the caller's. Imports nothing."""


class HuntError(ValueError):
    """What cannot be hunted; the message is one line that says why."""
