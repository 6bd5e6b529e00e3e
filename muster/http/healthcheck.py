"""`python -m muster.http.healthcheck [PATH]`: asks this container's process whether it is well.

The health check of every image. It needs no other program in the image, and no proxy is asked.
"""

import os
import sys
from http.client import HTTPConnection, HTTPException

_TIMEOUT = 4.0


def main() -> int:
    """Ask for PATH (`/healthz` unless given) at `MUSTER_HEALTH_PORT`; returns 0 if it is well."""
    path = sys.argv[1] if len(sys.argv) > 1 else "/healthz"
    connection = HTTPConnection("127.0.0.1", int(os.environ["MUSTER_HEALTH_PORT"]), _TIMEOUT)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        print(answer.status, answer.read().decode("utf-8", "replace"))
    except (OSError, HTTPException) as error:
        print(f"no answer: {error!r}")
        return 1
    finally:
        connection.close()
    return 0 if answer.status == 200 else 1


if __name__ == "__main__":
    sys.exit(main())
