"""Uploads go on while pods die one after the other, or while MongoDB is away."""

import time

from embedded.demo.checks import heading
from tools.k8s_check.kills import kill, must_return
from tools.k8s_check.traffic import QUESTIONS
from tools.k8s_check.trial import Trial

_FILES = 300
_AWAY_SECONDS = 60.0


def kill_each_pod(trial: Trial) -> None:
    """Kill every pod by force while 6 clients upload 300 files: each is done once."""
    heading(f"Every pod killed while {_FILES} files are uploaded")
    with trial.outside.traffic(trial.orders(files=_FILES)) as traffic:
        for pod in trial.servers_of_ours():
            traffic.phase(pod.name)
            must_return(trial.suite, kill(trial.suite, [pod]))
        report = traffic.stop()
    trial.must_keep_uploads(report)


def take_the_store_away(trial: Trial) -> None:
    """Have no MongoDB for a minute: uploads are refused, and what needs none is answered."""
    heading(f"MongoDB away for {_AWAY_SECONDS:.0f} s under traffic")
    (store,) = trial.suite.servers("files")
    checks = trial.suite.checks
    with trial.outside.traffic(trial.orders()) as traffic:
        traffic.phase("it leaves")
        trial.cluster.scale(store, 0)
        traffic.phase("it is away")
        time.sleep(_AWAY_SECONDS)
        traffic.phase("it is back")
        trial.cluster.scale(store, 1)
        trial.must_all_be_ready()
        report = traffic.stop()
    refused = set(report.requests["it is away"]["upload"])
    checks.equal("uploads are refused meanwhile", refused, {"503"})
    asked = sum(sum(report.requests["it is away"][kind].values()) for kind in QUESTIONS)
    print(f"  {asked} questions asked meanwhile")
    for phase in ("it leaves", "it is away", "it is back"):
        failed = report.failed(phase, *QUESTIONS)
        checks.equal(f"{phase}: every question is answered", failed, {})
    trial.must_keep_uploads(report)
