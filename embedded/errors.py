"""What keeps the suite from starting, and its data from being copied."""


class StartError(Exception):
    """The suite can't start; the message says in one line why and what to do."""


class BackupError(Exception):
    """A backup can't be made or restored; the message says in one line why and what to do."""
