"""A process to supervise: serves /readyz on a port, or misbehaves as its second argument says."""

import signal
import subprocess
import sys
from http.server import BaseHTTPRequestHandler, HTTPServer


class Ready(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        if behaviour == "telling":
            print("Connection:", self.headers["Connection"], flush=True)

    def log_message(self, *_arguments: object) -> None:
        pass


if __name__ == "__main__":
    port, behaviour = int(sys.argv[1]), sys.argv[2]
    if behaviour == "stubborn":
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    if behaviour == "failing":
        sys.exit("no such database")
    if behaviour == "with-child":
        print(subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE).pid)
        sys.stdout.flush()
    HTTPServer(("127.0.0.1", port), Ready).serve_forever()
