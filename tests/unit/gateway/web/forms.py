"""The forms of the pages, as a browser would send them."""

import re

from werkzeug.test import TestResponse


def form_id(answer: TestResponse) -> str:
    """The id of the one form on the page that makes a secret."""
    (found,) = re.findall(r'name="form" value="([0-9a-f]+)"', answer.text)
    return str(found)
