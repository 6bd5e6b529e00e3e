"""What the rules of accounts refuse. `auth/app.py` says which HTTP status each has."""


class AccountError(Exception):
    """Something can't be done with an account; the message says why, for a person to read."""


class EmailTaken(AccountError):
    """Another user has the email, however it is written."""

    def __init__(self) -> None:
        super().__init__("Another user has this email.")


class UserNotFound(AccountError):
    """There is no such user."""

    def __init__(self) -> None:
        super().__init__("There is no such user.")


class NoUsers(AccountError):
    """Nobody can log in: there is no user, or each is disabled."""

    def __init__(self) -> None:
        super().__init__("Nobody can log in yet: `users ensure-admin` adds the first user.")


class LastAdministrator(AccountError):
    """Nobody could manage users any more."""

    def __init__(self) -> None:
        super().__init__("This is the last enabled user with users:admin; give it to another.")


class WrongCredentials(AccountError):
    """No enabled user has that email and password; the answer does not say which is wrong."""

    def __init__(self) -> None:
        super().__init__("The email or the password is wrong.")


class WrongPassword(AccountError):
    """The current password given with a change of password is wrong."""

    def __init__(self) -> None:
        super().__init__("The current password is wrong.")


class WeakPassword(AccountError):
    """A new password, given in `field`, is easy to guess; the message says why and what to do."""

    def __init__(self, message: str, field: str) -> None:
        super().__init__(message)
        self.field = field


class OwnPassword(AccountError):
    """An administrator tries to set their own password the way they set that of others."""

    def __init__(self) -> None:
        super().__init__(
            "Change your own password by POST /v1/me/password, with the one that you have now."
        )


class TooManyLogins(AccountError):
    """As many passwords as allowed are being checked already."""

    def __init__(self) -> None:
        super().__init__("Too many are logging in at this moment. Try again.")


class TooManyAttempts(AccountError):
    """Too many logins of this account or from this address failed; `seconds` until the next."""

    def __init__(self, seconds: int) -> None:
        super().__init__(f"Too many attempts failed. Try again in {seconds} seconds.")
        self.seconds = seconds


class UserChanged(AccountError):
    """The user was disabled, deleted or changed since their token was checked."""

    def __init__(self) -> None:
        super().__init__("The token is not valid or no longer; log in again.")


class KeyNotFound(AccountError):
    """The user has no such access key."""

    def __init__(self) -> None:
        super().__init__("You have no such access key.")


class InvalidKey(AccountError):
    """Not an access key that may be used: unknown, expired, revoked, or its owner's time is over.

    The answer does not say which.
    """

    def __init__(self) -> None:
        super().__init__("The access key is not valid or no longer.")


class InvalidKeyRequest(AccountError):
    """A key that can't be made; the message says why, and `field` where."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field


class TooManyKeys(AccountError):
    """The user has as many keys as may be."""

    def __init__(self, most: int) -> None:
        super().__init__(f"You have {most} access keys already: revoke one first.")


class LinkNotFound(AccountError):
    """There is no such link to be sent: it was used, is over, or stands for nobody."""

    def __init__(self) -> None:
        super().__init__("There is no such link to be sent.")


class LinkNotValid(AccountError):
    """No link opens by this token: there never was one, it was used, or it is over."""

    def __init__(self) -> None:
        super().__init__(
            "This link was used already, is older than 24 hours, or never was one. Ask for another."
        )


class TooManyEmails(AccountError):
    """As many emails as may be were sent to the address within the hour."""

    seconds = 3600

    def __init__(self, most: int) -> None:
        super().__init__(
            f"{most} emails were sent to this address within an hour. Try again later."
        )
