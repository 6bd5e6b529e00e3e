"""Whom a command asks: the suite of a profile, and how its answers are written."""

import functools
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar

import click

from muster_client.client import MusterClient
from muster_client.command.exits import CommandError
from muster_client.command.output import Output
from muster_client.profiles import Profile, Profiles
from muster_client.transport import RetryPolicy

R = TypeVar("R")

_DEFAULT = "default"


@dataclass
class Session:
    """What the options that every command has say; ends with the command."""

    profile_name: str
    retry_seconds: float
    output: Output
    profiles: Profiles = field(default_factory=Profiles)

    @property
    def profile(self) -> Profile:
        """The profile that is asked with. Raises CommandError if nobody is logged in."""
        url, key = os.environ.get("MUSTER_URL"), os.environ.get("MUSTER_ACCESS_KEY")
        if url and key:
            return Profile(url, "", key)
        found = self.profiles.find(self.profile_name)
        if found is None:
            raise CommandError(
                f"Nobody is logged in as the profile {self.profile_name!r}: "
                "muster login URL --email EMAIL"
            )
        return found

    def client(self) -> MusterClient:
        """A client that asks as the profile, and says when it waits."""
        profile = self.profile
        return self.client_of(profile.url, profile.token)

    def client_of(self, url: str, token: str | None) -> MusterClient:
        """A client that asks with the token, and says when it waits."""
        retry = RetryPolicy(seconds=self.retry_seconds, told=self._say_waiting)
        return MusterClient(url, token, retry=retry)

    def _say_waiting(self, seconds: float, reason: str) -> None:
        self.output.note(f"muster: {reason}; trying again in {seconds:.0f} s")


def with_session(command: Callable[..., R]) -> Callable[..., R]:
    """Give a command the options that all have, and the session that they make, as its first."""

    @click.option("--json", "as_json", is_flag=True, help="Write each result as a line of JSON.")
    @click.option(
        "--profile",
        "profile_name",
        metavar="NAME",
        default=_DEFAULT,
        envvar="MUSTER_PROFILE",
        help="Whom to be, of those logged in; `default` if left out.",
    )
    @click.option(
        "--retry",
        "retry_seconds",
        type=click.FloatRange(min=0),
        metavar="SECONDS",
        default=300.0,
        help="For how long to repeat what gets no answer; 300 if left out.",
    )
    @functools.wraps(command)
    def run(as_json: bool, profile_name: str, retry_seconds: float, **options: Any) -> R:
        session = Session(profile_name, retry_seconds, Output(as_json=as_json))
        return command(session, **options)

    return run
