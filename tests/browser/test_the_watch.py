"""The watch over every page would see what it is there to see."""

import pytest

from tests.browser.site import TIMEOUT_MILLISECONDS, Site
from tests.browser.watching import CANARY, Watch

INJECT = f"""() => {{
  const script = document.createElement("script");
  script.append("{CANARY} = 1");
  document.body.append(script);
}}"""


def test_a_script_that_comes_in_a_page_is_blocked_and_told(site: Site) -> None:
    with site.browser.new_context(base_url=site.url) as context:
        context.set_default_timeout(TIMEOUT_MILLISECONDS)
        watch = Watch(context, site.url)
        page = context.new_page()
        page.goto("/login")
        with page.expect_console_message(lambda message: "violated" in message.text):
            page.evaluate(INJECT)
        assert not any("ran" in violation.split() for violation in watch.violations)
        with pytest.raises(AssertionError, match="violated"):
            watch.check()


def test_a_script_that_runs_is_told(site: Site) -> None:
    with site.browser.new_context(base_url=site.url, bypass_csp=True) as context:
        context.set_default_timeout(TIMEOUT_MILLISECONDS)
        watch = Watch(context, site.url)
        page = context.new_page()
        page.goto("/login")
        with page.expect_console_message(lambda message: "ran" in message.text):
            page.evaluate(INJECT)
        with pytest.raises(AssertionError, match="a script ran"):
            watch.check()


def test_a_request_to_another_host_is_told(site: Site) -> None:
    with site.browser.new_context() as context:
        context.set_default_timeout(TIMEOUT_MILLISECONDS)
        watch = Watch(context, site.url)
        context.route("**", lambda route: route.fulfill(body="theirs"))
        context.new_page().goto("http://elsewhere.example/")
        with pytest.raises(AssertionError, match="elsewhere"):
            watch.check()
