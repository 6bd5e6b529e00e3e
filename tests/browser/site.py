"""A suite as the tests in a browser use it: who may sign in, and browser profiles signed in."""

import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

import requests
from playwright.sync_api import Browser, Page, StorageState

from embedded.client import Client, Json
from embedded.demo.mailbox import emails, text_of
from embedded.suite_process import SuiteProcess
from tests.browser.watching import Watch
from tests.e2e.pausing import paused

ADMIN = "admin@example.com"
ANA = "ana@example.com"
# Who may what Ana may, and has sent nothing yet.
NEW = "new@example.com"
PASSWORD = "correct horse battery"
PERMISSIONS = ["uploads:write", "uploads:read", "uploads:undo", "queries:read", "rows:erase"]
# Webhooks to this machine.
SETTINGS = {"MUSTER_WEBHOOK_ALLOW": "127.0.0.1/32"}
# Small enough that a test can go over it.
MAX_UPLOAD_BYTES = 2 * 1024 * 1024
# A busy machine may need so long for anything.
TIMEOUT_MILLISECONDS = 60_000


@dataclass
class Site:
    """The suite, a client of its API for each user, and sessions that began on the page."""

    suite: SuiteProcess
    browser: Browser
    admin: Client
    ana: Client
    _sessions: dict[str, StorageState] = field(default_factory=dict)

    @property
    def url(self) -> str:
        """Where the first page is, without the slash."""
        return self.suite.url

    @contextmanager
    def open_page(
        self, email: str | None = None, *others: str, scripts: bool = True
    ) -> Iterator[Page]:
        """A page of a browser profile of its own in which `email`, if any, is signed in.

        In the end nothing happened that must not. `others` are origins that a test plays itself.
        Without `scripts` the browser runs none.
        """
        session = None if email is None else self._session(email)
        with self.browser.new_context(
            base_url=self.url, storage_state=session, java_script_enabled=scripts
        ) as context:
            context.set_default_timeout(TIMEOUT_MILLISECONDS)
            watch = Watch(context, self.url, others)
            yield context.new_page()
            watch.check()
            # What the pages still ask for must not meet a test's routes that are about to go.
            for page in context.pages:
                page.unroute_all(behavior="ignoreErrors")
            context.unroute_all(behavior="ignoreErrors")

    @contextmanager
    def loader_paused(self) -> Iterator[None]:
        """Nothing is checked or loaded meanwhile: the loader's consumer stands still."""
        with paused(self.suite.pid("dbuploader-consumer")):
            yield

    def add_webhook(self, client: Client, url: str, description: str) -> str:
        """Register a webhook of the client's user; returns its id."""
        new = {"url": url, "description": description}
        answer = client.session.post(f"{self.url}/v1/webhooks", json=new)
        answer.raise_for_status()
        return str(answer.json()["id"])

    def write_rows(self, table: str, rows: list[Json]) -> None:
        """Write rows past all files."""
        path = f"{self.url}/v1/tables/{table}/rows"
        self.admin.session.post(path, json=rows).raise_for_status()

    def links_to(self, email: str) -> list[str]:
        """The one-time links in the emails to that address, on the embedded default."""
        return [
            link
            for message in emails(self.suite.home / "mail")
            if message["To"] == email
            for link in re.findall(r"https?://\S+#\S+", text_of(message))
        ]

    def answers(self) -> bool:
        """Whether the gateway serves."""
        with suppress(requests.ConnectionError, requests.Timeout):
            return self.admin.session.get(f"{self.url}/readyz", timeout=60).ok
        return False

    def add_user(self, email: str, *permissions: str) -> Json:
        """A user with PASSWORD, who may do that."""
        return self.admin.add_user(email, PASSWORD, list(permissions))

    def change_user(self, user: Json, **changes: object) -> None:
        """Have the administrator change the user elsewhere, while a page is open."""
        path = f"{self.url}/v1/users/{user['id']}"
        self.admin.session.patch(path, json=changes).raise_for_status()

    def _session(self, email: str) -> StorageState:
        if email not in self._sessions:
            with self.open_page() as page:
                page.goto("/")
                sign_in(page, email, self.password_of(email))
                page.get_by_role("button", name="Sign out").wait_for()
                self._sessions[email] = page.context.storage_state()
        return self._sessions[email]

    def password_of(self, email: str) -> str:
        """What `email` signs in with."""
        return self.suite.admin_password() if email == ADMIN else PASSWORD


def sign_in(page: Page, email: str, password: str) -> None:
    """Fill the form to sign in, and send it."""
    page.get_by_label("Email").fill(email)
    page.get_by_label("Password").fill(password)
    page.get_by_role("button", name="Sign in").click()


def begin_session(page: Page, site: Site, email: str, password: str | None = None) -> int:
    """Sign in beside the page, in its browser profile; returns the status of the answer."""
    form: dict[str, str | float | bool] = {"email": email}
    form["password"] = password or site.password_of(email)
    return page.request.post(
        "/login", form=form, headers={"Origin": site.url}, max_redirects=0
    ).status
