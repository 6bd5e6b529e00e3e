"""How the JSON of an answer is written, the same in every service."""

import json

# Made once: `json.dumps` makes an encoder for each call that has options.
_ENCODER = json.JSONEncoder(separators=(",", ":"))


def json_text(document: object) -> str:
    """The document without blanks between its parts, and with a line end, as Flask's `jsonify`."""
    return _ENCODER.encode(document) + "\n"
