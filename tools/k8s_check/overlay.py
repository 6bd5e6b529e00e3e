"""What must be true of the overlay where it runs, whatever it runs on."""

import time
from functools import partial

import requests

from embedded.demo.checks import heading
from embedded.demo.job import do_the_job
from embedded.demo.mailbox import emails_in_mailpit
from tools.images_check.commands import ROOT
from tools.k8s_check.suite import Suite

SAMPLES = ROOT / "samples"

# What a login takes: when these are ready, it has to succeed.
_LOGIN = ("auth", "gateway")


def start(suite: Suite) -> None:
    """Start everything at once: each waits for what it needs, makes its tables, and is ready.

    Raises PodFailed, or CommandFailed when the cluster cannot be asked.
    """
    servers = suite.servers()
    heading(f"{len(servers)} pods by {suite.cluster.title}, from nothing")
    started = time.monotonic()
    suite.cluster.start()
    for server in sorted(servers, key=lambda each: each.name not in _LOGIN):
        wrong = suite.cluster.wait_until_ready(server)
        waited = time.monotonic() - started
        suite.must(f"{server} passes its probes ({waited:.0f} s)", server, wrong)
        if suite.started == set(_LOGIN):
            wrong = _log_in(suite)
            waited = time.monotonic() - started
            suite.checks.equal(f"the administrator can log in ({waited:.0f} s)", wrong, "")
    restarts = {each.name: count for each in servers if (count := suite.cluster.restarts(each))}
    suite.checks.equal("nothing was started a second time", restarts, {})


def _log_in(suite: Suite) -> str:
    try:
        with suite.administrator():
            return ""
    except requests.RequestException as error:
        return repr(error)


def do_the_demo(suite: Suite) -> None:
    """Do the demo's job through the gateway, and look into the mail catcher."""
    heading("The demo, through the gateway")
    (catcher,) = suite.servers("mail")
    with suite.administrator() as client, suite.reached(catcher) as mailpit:
        do_the_job(SAMPLES, client, partial(emails_in_mailpit, mailpit), suite.checks)
