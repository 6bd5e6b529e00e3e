"""What must never happen on a page, whatever is shown and done: watched in every test."""

from collections.abc import Sequence
from contextlib import suppress

from playwright.sync_api import BrowserContext, ConsoleMessage, Error, Request, WebError

# What hostile values try to set.
CANARY = "canary"
_POLICY, _RAN = "violated the policy:", "a script ran that came in a value"
# Runs before any script of each page.
_WATCH = f"""
document.addEventListener("securitypolicyviolation", (event) =>
  console.error(`{_POLICY} ${{event.violatedDirective}} ${{event.blockedURI}} ${{event.sample}}`));
Object.defineProperty(globalThis, "{CANARY}", {{set: () => console.error("{_RAN}")}});
"""


class Watch:
    """Follows all pages of a context, which ask nobody but the site at `url`.

    `others` are origins that a test plays itself.
    """

    def __init__(self, context: BrowserContext, url: str, others: Sequence[str] = ()) -> None:
        self._context = context
        self._ours = tuple(f"{origin}/" for origin in (url, *others))
        self.requests: list[str] = []
        self.violations: list[str] = []
        self.errors: list[str] = []
        context.add_init_script(_WATCH)
        context.on("request", self._take_request)
        context.on("console", self._take_message)
        context.on("weberror", self._take_error)

    def _take_request(self, request: Request) -> None:
        self.requests.append(request.url)

    def _take_message(self, message: ConsoleMessage) -> None:
        if message.text.startswith((_POLICY, _RAN)) or "Content Security Policy" in message.text:
            self.violations.append(message.text)

    def _take_error(self, error: WebError) -> None:
        self.errors.append(str(error.error))

    def check(self) -> None:
        """No violation of the policy, no error in a script, no other host, no foreign script."""
        for page in self._context.pages:
            # All that the page told before has come once it answers, unless it goes elsewhere.
            with suppress(Error):
                page.evaluate("0")
        assert not self.violations, self.violations
        assert not self.errors, self.errors
        others = [url for url in self.requests if not url.startswith(self._ours)]
        assert not others, others
