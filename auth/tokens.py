"""Access tokens: issuing them, and checking them against the user as it is now."""

import time
import uuid
from collections.abc import Callable, Sequence
from dataclasses import replace

import jwt
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from auth.repository import UserStore
from auth.users import AccessKey, StoredUser
from muster.backends.signing_key import ALGORITHM, SigningKey
from muster.http.tokens import AUDIENCE, ISSUER, InvalidToken, Principal, principal_of

KEY_TOKEN_SECONDS = 60


class AccessTokens:
    """Signs tokens that live `seconds` by the first of `keys`, and checks those of all.

    `clock` gives Unix time.
    """

    def __init__(
        self,
        keys: Sequence[SigningKey],
        store: UserStore,
        seconds: int,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.seconds = seconds
        self._signing = keys[0]
        self._kid = keys[0].kid
        self._public = {key.kid: key.public for key in keys}
        self._store = store
        self._clock = clock

    def issue(self, user: StoredUser) -> str:
        """A signed JWT for `user`."""
        now = int(self._clock())
        return self._sign(user, user.permissions, now, now + self.seconds, jti=uuid.uuid4().hex)

    def issue_for_key(self, user: StoredUser, key: AccessKey, now: int) -> str:
        """One for who holds the `key` of `user`, where both were read at `now` or later.

        It may what the key and the user may, and lives KEY_TOKEN_SECONDS, or as long as the key.
        Its `jti` is the key's id, so that the tokens of a key end together.
        """
        may, end = key.permissions & user.permissions, min(now + KEY_TOKEN_SECONDS, key.expires_at)
        return self._sign(user, may, now, end, jti=key.id, by_key=True)

    def _sign(
        self, user: StoredUser, may: frozenset[str], now: int, end: int, **more: object
    ) -> str:
        claims = {
            "iss": ISSUER,
            "aud": AUDIENCE,
            "sub": user.id,
            "iat": now,
            "exp": end,
            "email": user.email,
            "permissions": sorted(may),
            "generation": user.generation,
            **more,
        }
        return jwt.encode(claims, self._signing.private, ALGORITHM, headers={"kid": self._kid})

    def verify(self, token: str) -> Principal:
        """Who the token stands for, with the permissions that they have now.

        Raises InvalidToken, also when the token was ended, and DatabaseUnavailable.
        """
        claimed = principal_of(token, self._key_of(token))
        with self._store.reading() as users:
            user = users.get(claimed.id)
            signed_out = users.has_ended(claimed.token_id)
        if user is None or user.disabled or user.generation != claimed.generation or signed_out:
            raise InvalidToken("ended")
        may = claimed.permissions & user.permissions
        return replace(claimed, email=user.email, permissions=may)

    def _key_of(self, token: str) -> Ed25519PublicKey:
        try:
            key = self._public.get(jwt.get_unverified_header(token).get("kid", ""))
        except jwt.PyJWTError as error:
            raise InvalidToken(str(error)) from error
        if key is None:
            raise InvalidToken("signed under another key id")
        return key
