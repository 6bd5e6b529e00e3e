"""What the steps need that only a real cluster can take, and what they say of its traffic."""

import re
import uuid
from collections import Counter
from dataclasses import dataclass

from embedded.demo.checks import table
from embedded.demo.mailbox import emails_in_mailpit
from tools.k8s_check.kubectl import KubectlCluster
from tools.k8s_check.manifests import Workload, name_of
from tools.k8s_check.outside import Outside, Report
from tools.k8s_check.suite import Suite
from tools.k8s_check.traffic import Orders

_MOST_EMAILS = 100_000
_ID = re.compile(r"[0-9a-f]{32}")


@dataclass(frozen=True)
class Trial:
    """The overlay that runs on a cluster, and a pod outside of it."""

    suite: Suite
    cluster: KubectlCluster
    outside: Outside

    def orders(self, *, files: int = 0, pause_seconds: float = 2.0) -> Orders:
        """Uploads and questions through the gateway's Service, by users of their own."""
        (namespace,) = self.suite.manifests.of("Namespace")
        (port,) = (
            port["port"]
            for each in self.suite.manifests.of("Service")
            if name_of(each) == "gateway"
            for port in each["spec"]["ports"]
        )
        email, password = self.suite.credentials()
        url = f"http://gateway.{name_of(namespace)}:{port}"
        run = f"check-{uuid.uuid4().hex[:8]}"
        return Orders(url, email, password, run, files=files, pause_seconds=pause_seconds)

    def servers_of_ours(self) -> list[Workload]:
        """All servers but the mail catcher, which has its emails in memory."""
        catchers = self.suite.servers("mail")
        return [each for each in self.suite.servers() if each not in catchers]

    def must_all_be_ready(self) -> None:
        """Wait until every pod is; raises PodFailed."""
        for server in self.suite.servers():
            wrong = self.cluster.wait_until_ready(server)
            if wrong:
                self.suite.must(f"{server} is ready", server, wrong)

    def must_keep_uploads(self, report: Report) -> None:
        """Check that each upload that was accepted is done once, with one email about it."""
        checks = self.suite.checks
        table(report.rows())
        slowest = ", ".join(f"{kind} {s:.1f} s" for kind, s in sorted(report.slowest.items()))
        print(f"  the slowest: {slowest}")
        states = Counter(each["state"] for each in report.uploads)
        print(f"  {len(report.uploads)} uploads accepted")
        checks.equal("no client had to give up", report.failures, [])
        checks.equal("every upload is completed", states, {"completed": len(report.uploads)})
        checks.equal("no upload is lost", report.lost, [])
        checks.equal("no upload is there twice", report.doubled, [])
        emails = self._emails(report)
        found = Counter(emails[each["id"]] for each in report.uploads)
        checks.equal("one email is sent of each", found, {1: len(report.uploads)})

    def _emails(self, report: Report) -> Counter[str]:
        """How many emails there are about each upload, by its id."""
        (catcher,) = self.suite.servers("mail")
        with self.suite.reached(catcher) as url:
            emails = emails_in_mailpit(url, limit=_MOST_EMAILS)
        # An id is hexadecimal; whatever else is in a Message-ID, it stands there whole.
        named = Counter(word for each in emails for word in _ID.findall(str(each["Message-ID"])))
        return Counter({each["id"]: named[each["id"]] for each in report.uploads})
