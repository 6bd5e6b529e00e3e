"""What all pages have in common: their template, their headers, and how they report errors."""

from collections.abc import Callable
from contextlib import suppress
from typing import Any

from flask import Blueprint, Flask, Response, g, render_template, request, url_for
from werkzeug.exceptions import HTTPException, NotFound

from gateway.errors import PROBLEMS
from gateway.web.session import refuse_other_sites, split_url
from gateway.web.wording import ago, problem_in_words, word_for
from muster.contracts.wording import PHRASES, in_words
from muster.http.problems import Problem, from_http_exception, problem_of
from muster.http.tokens import authenticate
from muster.observability.tracing import current_trace

# Nothing inline, nothing from elsewhere, and no text is ever taken for markup by a script.
_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; "
    "img-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; "
    "frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Referrer-Policy": "same-origin",
}


class PageBlueprint(Blueprint):
    """The pages of one subject. Errors in them are answered by a page, too."""

    def __init__(self, name: str, import_name: str) -> None:
        super().__init__(name, import_name)
        self.before_request(refuse_other_sites)
        self.register_error_handler(Problem, show_problem)
        self.register_error_handler(HTTPException, _show_http_exception)
        for exception, to_problem in PROBLEMS.items():
            self.register_error_handler(exception, _shown_as(to_problem))


def install_pages(app: Flask) -> None:
    """Have `app` answer a browser that asks for an unknown path with a page."""
    app.register_error_handler(404, _show_not_found)
    texts = {each.__name__: each for each in (word_for, ago, in_words)}
    app.jinja_env.globals.update(texts, phrases=PHRASES)


def page(template: str, status: int = 200, **values: Any) -> Response:
    """The page that `template` makes of `values`."""
    values.setdefault("me", g.get("principal"))
    return Response(render_template(f"web/{template}", **values), status, headers=_HEADERS)


def show_problem(problem: Problem, heading: str | None = None) -> Response:
    """A page that says what is wrong; for 401 the one to sign in. The heading is its title."""
    if problem.status == 401:
        return go(url_for("signing_in.sign_in", next=_here()))
    request_id = current_trace().request_id
    response = page(
        "problem.html",
        problem.status,
        problem=problem,
        heading=heading or problem.title,
        detail=problem_in_words(str(problem)),
        request_id=request_id,
    )
    response.headers.update(problem.headers)
    return response


def go(location: str) -> Response:
    """A redirect to another page of ours."""
    return Response(status=303, headers={"Location": location, "Cache-Control": "no-store"})


def own_path(location: str | None) -> str:
    """`location` if it is a path on this host, else the first page's."""
    # Browsers take a backslash for a slash, and pass over control characters (WHATWG URL).
    text = (location or "").replace("\\", "/")
    is_path = text.startswith("/") and not text.startswith("//") and text.isprintable()
    return text if is_path else "/"


def _here() -> str | None:
    if request.method == "GET":
        return request.full_path.rstrip("?") if request.path != "/" else None
    # What was sent is not kept; back to the page with the form.
    sent_from = split_url(request.referrer)
    return sent_from.path if sent_from.netloc == request.host else None


def _shown_as(to_problem: Callable[[Any], Problem]) -> Callable[[Exception], Response]:
    return lambda error: show_problem(to_problem(error))


def _show_not_found(error: NotFound) -> Response:
    # Programs send no Accept header, or accept anything.
    if "text/html" in request.accept_mimetypes.values() and not request.path.startswith("/v1/"):
        # Whoever is signed in goes on from there, by the navigation of all pages.
        with suppress(Problem):
            authenticate()
        return show_problem(Problem("not-found", "There is no page at this address."))
    return from_http_exception(error)


def _show_http_exception(error: HTTPException) -> Response:
    return show_problem(problem_of(error))
