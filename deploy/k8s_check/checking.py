"""What must be true of the overlay where it runs, whatever it runs on."""

import time
from functools import partial

from deploy.images_check.commands import ROOT
from deploy.k8s_check.killing import kill_each_other_pod, kill_who_works
from deploy.k8s_check.suite import Suite
from embedded.demo.checks import heading
from embedded.demo.job import do_the_job
from embedded.demo.mailbox import emails_in_mailpit

SAMPLES = ROOT / "samples"


def check(suite: Suite) -> None:
    """All of it; raises PodFailed, or CommandFailed when the cluster cannot be asked."""
    start(suite)
    do_the_demo(suite)
    kill_who_works(suite, SAMPLES)
    kill_each_other_pod(suite, SAMPLES)


def start(suite: Suite) -> None:
    """Start everything at once: each waits for what it needs, makes its tables, and is ready."""
    heading(f"{len(suite.servers())} pods by {suite.cluster.title}")
    suite.cluster.start()
    for server in suite.servers():
        started = time.monotonic()
        wrong = suite.cluster.wait_until_ready(server)
        waited = time.monotonic() - started
        suite.must(f"{server} passes its probes ({waited:.0f} s)", server, wrong)


def do_the_demo(suite: Suite) -> None:
    """Do the demo's job through the gateway, and look into the mail catcher."""
    heading("The demo, through the gateway")
    (catcher,) = suite.servers("mail")
    with suite.administrator() as client, suite.reached(catcher) as mailpit:
        do_the_job(SAMPLES, client, partial(emails_in_mailpit, mailpit), suite.checks)
