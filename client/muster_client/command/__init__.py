"""The command `muster`."""

from muster_client.command.app import main

__all__ = ["main"]
