"""What the first bytes of a request tell, before anything parses them."""

HEAD_END = b"\r\n\r\n"
_BODILESS = (b"GET ", b"HEAD ")
_ABOUT_HEALTH = (b"GET /healthz ", b"GET /readyz ", b"GET /metrics ")


def has_no_body(head: bytes | bytearray) -> bool:
    """Whether nothing follows the head."""
    return head.startswith(_BODILESS)


def asks_how_it_is(head: bytes | bytearray) -> bool:
    """Whether it is from whoever would end a process that does not answer."""
    return head.startswith(_ABOUT_HEALTH)
