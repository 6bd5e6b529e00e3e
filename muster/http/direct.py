"""Sessions of `requests` that go straight to where they are told."""

import requests


def direct_session() -> requests.Session:
    """One that obeys no proxy and no .netrc of the environment, as between services."""
    session = requests.Session()
    session.trust_env = False
    return session
