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
    start_without_a_schema(suite)
    migrate(suite)
    do_the_demo(suite)
    kill_who_works(suite, SAMPLES)
    kill_each_other_pod(suite, SAMPLES)


def start_without_a_schema(suite: Suite) -> None:
    """Start everything but the Jobs: who needs their tables runs, and is not ready."""
    heading(f"{len(suite.servers())} pods by {suite.cluster.title}, without their schema")
    suite.cluster.start()
    for database in suite.servers("database"):
        suite.must(f"{database} is ready", database, suite.cluster.wait_until_ready(database))
    for user in suite.users_of_a_schema():
        suite.must(f"{user} is alive", user, suite.cluster.wait_until_alive(user))
        found = {path: suite.status_of(user, path) for path in ("/healthz", "/readyz")}
        wanted = {"/healthz": 200, "/readyz": 503}
        suite.checks.equal(f"{user} is not ready without its schema", found, wanted)


def migrate(suite: Suite) -> None:
    """Start the Jobs: they end well, and everything becomes ready."""
    heading(f"{len(suite.jobs())} Jobs, and what waits for them")
    suite.cluster.start_jobs()
    for job in suite.jobs():
        suite.must(f"{job} is done", job, suite.cluster.wait_until_done(job))
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
