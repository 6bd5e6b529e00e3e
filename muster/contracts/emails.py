"""Which emails about their uploads somebody wants: auth keeps the choice, notification obeys it."""

from typing import Literal

EmailChoice = Literal["each", "digest", "problems", "none"]
"""One for each upload; those of a minute in one; only about what needs the uploader; none."""
