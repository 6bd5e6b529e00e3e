"""Stands in for kubectl: takes the answer to each call from a file, and writes down the call.

`$FAKE_KUBECTL/answers.json` has for the beginning of a command line the answers to it, one after
the other, of which the last stays: `[status, what is printed]`. What is not there succeeds.
"""

import json
import os
import signal
import sys
from pathlib import Path


def main() -> int:
    """Answer; `port-forward` stays until it is told to stop, as the real one does."""
    directory = Path(os.environ["FAKE_KUBECTL"])
    line = " ".join(sys.argv[1:])
    with (directory / "calls").open("a") as calls:
        calls.write(f"{line}\n")
    path = directory / "answers.json"
    answers = json.loads(path.read_text())
    for beginning, queue in answers.items():
        if line.startswith(beginning):
            status, text = queue.pop(0) if len(queue) > 1 else queue[0]
            path.write_text(json.dumps(answers))
            print(text, flush=True)
            if line.startswith("port-forward") and status == 0:
                signal.pause()
            return int(status)
    return 0


if __name__ == "__main__":
    sys.exit(main())
