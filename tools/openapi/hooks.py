"""What schemathesis sends that no OpenAPI document says."""

import os
from typing import Any

import schemathesis
from hypothesis import strategies

schemathesis.openapi.media_type("application/partial-upload", strategies.binary(max_size=64))

_NOBODY = "0" * 32


@schemathesis.hook  # type: ignore[untyped-decorator]
def before_call(_context: Any, case: Any, _kwargs: Any) -> None:
    """Change nothing of the user who asks: everything after it would be 401, and tell nothing."""
    if (case.path_parameters or {}).get("id") == os.environ["OWN_ID"]:
        case.path_parameters["id"] = _NOBODY
