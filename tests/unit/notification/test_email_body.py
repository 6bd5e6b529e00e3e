"""The two parts of the email: what stands in both, and that the HTML holds only its own markup."""

from dataclasses import replace
from html.parser import HTMLParser

import pytest

from muster.contracts.uploads import Upload
from muster.contracts.wording import sentence
from notification.wording import visible
from tests.unit.notification import stories
from tests.unit.notification.stories import body, email_about

ALL = pytest.mark.parametrize("upload", stories.STORIES, ids=lambda upload: str(upload.state))


class Reader(HTMLParser):
    """The tags, the attributes and the text of a page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: dict[str, set[str | None]] = {}
        self.text = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        for name, value in attributes:
            self.attributes.setdefault(name, set()).add(value)

    def handle_data(self, data: str) -> None:
        self.text += data


def both(upload: Upload) -> tuple[str, str]:
    """The texts that a reader of the plain and of the HTML part sees."""
    message = email_about(upload)
    return body(message, "plain"), Reader(body(message, "html")).text


@ALL
def test_plain_text_comes_first_and_html_is_its_alternative(upload: Upload) -> None:
    message = email_about(upload)
    assert message.get_content_type() == "multipart/alternative"
    assert [part.get_content_type() for part in message.iter_parts()] == [
        "text/plain",
        "text/html",
    ]


def test_both_say_what_the_file_was_and_what_became_of_its_rows() -> None:
    for text in both(stories.WITH_REJECTS):
        assert "1,929 of 1,999 rows were loaded; 70 were rejected." in text
        assert "hired_employees.csv, sent on 7 November 2021, 02:48 UTC" in text
        assert stories.WITH_REJECTS.id in text
        assert stories.WITH_REJECTS.request_id in text


def test_both_say_what_an_undo_was_of_and_which_rows_it_left() -> None:
    for text in both(stories.UNDONE_IN_PART):
        words = " ".join(text.split())
        assert "Undone in part: 1,929 rows removed, 12 restored, 3 kept." in words
        assert "Undo of hired_employees.csv, asked for on 7 November 2021" in words
        assert "Why rows were not undone" in words
        assert "3 rows" in words
        assert "the first of them: an upload changed it later" in words
        assert "Id:" not in words
        assert "change 9" not in words
        assert "because you undid an upload." in words
        assert "line 0" not in words
        assert "rejected" not in words


def test_both_give_each_cause_with_its_rows_and_first_line() -> None:
    for text in both(stories.WITH_REJECTS):
        words = " ".join(text.split())
        assert "21 rows, the first on line 67" in words
        assert "the cell is blank: Department is required" in words
        assert "the cell is blank: Name is required" in words
        assert "1 row, on line 1,203" in words
        assert "no row of jobs has that id: load that job first" in words


def test_both_give_what_looks_wrong_though_it_was_not_rejected() -> None:
    for text in both(stories.WITH_WARNINGS):
        words = " ".join(text.split())
        assert "Please check" in words
        assert '"Hires" was skipped: the header is on line 2' in words
        assert "Line 1,003" in words
        assert 'Name "JosÃ©" looks like "José"' in words
        assert "and 1,232 more" in words


@ALL
def test_the_text_begins_with_what_happened_and_where_to_go_on(upload: Upload) -> None:
    text = body(email_about(upload), "plain")
    happened, action, about = text.split("\n\n")[:3]
    assert happened == sentence(upload)
    assert action.splitlines()[1:] == [f"http://127.0.0.1:8080/uploads/{upload.id}"]
    assert about.startswith(visible(upload.filename)) or upload.kind == "undo"


def test_what_scripts_need_is_folded_and_comes_last() -> None:
    message = email_about(stories.WITH_REJECTS)
    html, plain = body(message, "html"), body(message, "plain")
    assert html.index("Why rows were rejected") < html.index("<details") < html.index("curl")
    assert html.index(stories.WITH_REJECTS.request_id) < html.index("</details>")
    assert plain.index("Why rows were rejected") < plain.index("For scripts") < plain.index("curl")


def test_both_say_what_changes_in_hiring() -> None:
    for text in both(replace(stories.COMPLETED, impact=stories.IMPACT)):
        assert "Sales, Q3 2021: 4 → 1,009, and 12 more numbers" in text
        assert "Support comes above the mean of 2021" in text
        assert "What changes in hiring" in text
    for text in both(stories.COMPLETED):
        assert "hiring" not in text


def test_neither_asks_to_check_where_nothing_looks_wrong() -> None:
    for text in both(stories.COMPLETED):
        assert "Please check" not in text


def test_both_give_the_failure_and_what_to_do() -> None:
    for text in both(stories.FAILED):
        assert "missing-label" not in text
        assert "The header lacks job_id." in text
        assert "Correct the first line of the file" in text


def test_both_give_the_same_commands() -> None:
    for text in both(stories.WITH_REJECTS):
        assert "http://127.0.0.1:8080/v1/login" in text
        assert f"http://127.0.0.1:8080/v1/uploads/{stories.WITH_REJECTS.id}/rejects" in text
        assert "'http://127.0.0.1:8080/v1/uploads?table=hired_employees'" in text


def test_a_file_loaded_whole_asks_for_nothing() -> None:
    for text in both(stories.COMPLETED):
        assert "curl" not in text


@ALL
def test_html_holds_no_markup_but_its_own(upload: Upload) -> None:
    page = Reader(body(email_about(upload), "html"))
    known = "html head meta title style body table tr td p h2 pre strong br bdi a details summary"
    assert page.tags <= set(known.split())
    assert not {name for name in page.attributes if name.startswith("on")}


@ALL
def test_html_asks_nothing_of_another_host(upload: Upload) -> None:
    source = body(email_about(upload), "html")
    page = Reader(source)
    assert not page.attributes.keys() & {"src", "background", "srcset", "action"}
    # People go to both by themselves; nothing is loaded from there.
    assert page.attributes["href"] == {
        f"http://127.0.0.1:8080/uploads/{upload.id}",
        "http://127.0.0.1:8080/account/emails",
    }
    assert "url(" not in source
    assert "@import" not in source


def test_hostile_text_is_shown_as_text() -> None:
    plain, html = both(stories.HOSTILE)
    for text in (plain, html):
        assert "<img src=x onerror=alert(1)>$(touch /tmp/x)" in text
        assert "\u202e" not in text
        assert "\x1b" not in text


@ALL
def test_no_line_of_the_text_is_hidden_or_unbounded(upload: Upload) -> None:
    text = body(email_about(upload), "plain")
    assert all(line.isprintable() for line in text.splitlines())
    assert max(map(len, text.splitlines())) < 500


def test_a_name_in_another_script_is_kept() -> None:
    for text in both(replace(stories.COMPLETED, filename="Überstellung 雇用.csv")):
        assert "Überstellung 雇用.csv" in text
