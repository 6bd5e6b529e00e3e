"""The digests that a client says its body has (RFC 9530), checked while the body is read.

They are of the content of the request as it comes: of all of a form, and of what is gzipped before
it is inflated.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from hashlib import sha256, sha512
from typing import Any

import http_sf

from gateway.errors import InvalidDigest, MismatchedDigest

_ALGORITHMS = {"sha-256": sha256, "sha-512": sha512}


def digest_field(sha256_hex: str) -> str:
    """What a field of RFC 9530 says of something with that SHA-256, in hexadecimal digits."""
    digests: dict[str, Any] = {"sha-256": bytes.fromhex(sha256_hex)}
    return http_sf.ser(digests)


@dataclass(frozen=True)
class ContentDigest:
    """The digests of a body, by the names of their algorithms."""

    expected: Mapping[str, bytes]

    @classmethod
    def from_header(cls, header: str | None) -> "ContentDigest | None":
        """What `Content-Digest` says; None if nothing by an algorithm that is known here.

        Raises InvalidDigest.
        """
        if header is None:
            return None
        try:
            said: Any = http_sf.parse(header.encode("latin-1"), tltype="dictionary")
        except ValueError:
            raise InvalidDigest from None
        # Other algorithms are passed over: section 2.
        known = {name: said[name][0] for name in _ALGORITHMS if name in said}
        for name, digest in known.items():
            if not isinstance(digest, bytes) or len(digest) != _ALGORITHMS[name]().digest_size:
                raise InvalidDigest
        return cls(known) if known else None

    def checked(self, chunks: Iterable[bytes]) -> Iterator[bytes]:
        """The same bytes; raises MismatchedDigest at their end if they have another digest."""
        hashes = {name: _ALGORITHMS[name]() for name in self.expected}
        for chunk in chunks:
            for each in hashes.values():
                each.update(chunk)
            yield chunk
        for name, each in hashes.items():
            if each.digest() != self.expected[name]:
                raise MismatchedDigest(name)
