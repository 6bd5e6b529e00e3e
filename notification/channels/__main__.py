"""`python -m notification.channels`: checks whether the environment names a usable channel."""

import sys

from muster.adapters import ConfigurationError
from notification.channels import open_channel
from notification.settings import Settings


def main() -> None:
    """Return if it does; exits with the reason and status 1 otherwise. Connects to nothing."""
    try:
        open_channel(Settings())
    except ConfigurationError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
