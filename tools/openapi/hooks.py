"""What schemathesis sends as a part of an upload: bytes."""

import schemathesis
from hypothesis import strategies

schemathesis.openapi.media_type("application/partial-upload", strategies.binary(max_size=64))
