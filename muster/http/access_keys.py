"""Access keys: what one looks like, and what is kept of it.

A key is `muster_`, 256 random bits in 43 letters and digits, and 6 more that are a checksum. The
prefix lets secret scanners find keys that were published by mistake; the checksum lets them, and
the gateway, tell a key from a word that only looks like one without asking anybody. Letters and
digits alone are copied whole by a double click.
"""

import re
import secrets
import string
from hashlib import sha256
from zlib import crc32

PREFIX = "muster_"
_DIGITS = string.digits + string.ascii_uppercase + string.ascii_lowercase
_RANDOM_BITS = 256
_RANDOM_DIGITS = 43
_CHECK_DIGITS = 6
_SHAPE = re.compile(f"{PREFIX}([0-9A-Za-z]{{{_RANDOM_DIGITS}}})([0-9A-Za-z]{{{_CHECK_DIGITS}}})")


def new_key() -> str:
    """A key that nobody can guess."""
    random = _in_digits(secrets.randbits(_RANDOM_BITS), _RANDOM_DIGITS)
    return f"{PREFIX}{random}{_checksum(random)}"


def is_key(text: str) -> bool:
    """Whether `text` is meant as an access key, and not as another kind of token."""
    return text.startswith(PREFIX)


def is_well_formed(text: str) -> bool:
    """Whether `text` has the shape and the checksum of a key."""
    found = _SHAPE.fullmatch(text)
    return found is not None and _checksum(found[1]) == found[2]


def hash_of(secret: str) -> str:
    """What is kept of a key, or of another secret of 256 random bits: its SHA-256, in hexadecimal.

    A slow hash would protect nothing: there is no list of such secrets to try.
    """
    return sha256(secret.encode()).hexdigest()


def _checksum(random: str) -> str:
    return _in_digits(crc32(random.encode()), _CHECK_DIGITS)


def _in_digits(number: int, count: int) -> str:
    digits = []
    for _ in range(count):
        number, digit = divmod(number, len(_DIGITS))
        digits.append(_DIGITS[digit])
    return "".join(reversed(digits))
