"""What keeps the suite from starting."""


class StartError(Exception):
    """The suite can't start; the message says in one line why and what to do."""
