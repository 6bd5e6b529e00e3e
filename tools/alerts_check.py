"""Whether Prometheus takes the alerts, and each fires by its cause: `python -m tools.alerts_check`.

It needs promtool, which comes with Prometheus: `apt-get install prometheus` on Debian.
"""

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[1]
ALERTS = ROOT / "k8s/components/monitoring/alerts.yaml"
TESTS = ROOT / "tests/unit/deploy/alerts.test.yaml"


def check_alerts(promtool: str) -> subprocess.CompletedProcess[str]:
    """The end and the output of the first of promtool's checks that fails, or of the last."""
    with tempfile.TemporaryDirectory(prefix="muster-alerts-") as folder:
        rules = yaml.safe_load(ALERTS.read_text("utf-8"))["spec"]
        Path(folder, "alerts.yaml").write_text(yaml.safe_dump(rules), "utf-8")
        shutil.copy(TESTS, folder)
        checked = _run(folder, promtool, "check", "rules", "alerts.yaml")
        return (
            checked if checked.returncode else _run(folder, promtool, "test", "rules", TESTS.name)
        )


def _run(folder: str, *command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command,
        cwd=folder,
        check=False,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )


def main() -> int:
    """Say what promtool says; 0 if it is content."""
    promtool = shutil.which("promtool")
    if promtool is None:
        print("There is no promtool: install prometheus.", file=sys.stderr)
        return 1
    done = check_alerts(promtool)
    print(done.stdout, end="")
    return done.returncode


if __name__ == "__main__":
    sys.exit(main())
