"""The email about several uploads."""

from dataclasses import replace

import pytest

from muster.contracts.uploads import Upload
from muster.contracts.wording import sentence
from tests.unit.notification import stories
from tests.unit.notification.stories import body, email_about
from tests.unit.notification.test_email_body import Reader

ALL = tuple(
    replace(story, id=f"u{number}", sequence=number)
    for number, story in enumerate(stories.STORIES, 1)
)
GOOD = tuple(upload for upload in ALL if upload.state == "completed" and upload.kind == "upload")


@pytest.mark.parametrize("uploads", [ALL, GOOD, ALL[::-1]])
def test_both_parts_tell_each_upload_in_a_sentence_with_its_link(uploads: tuple[Upload]) -> None:
    message = email_about(*uploads)
    plain, page = body(message, "plain"), Reader(body(message, "html"))
    for upload in uploads:
        assert sentence(upload) in plain
        assert sentence(upload) in page.text
        assert f"http://127.0.0.1:8080/uploads/{upload.id}\n" in plain
        assert f"http://127.0.0.1:8080/uploads/{upload.id}" in page.attributes["href"]
    # The list of uploads is the page's first; /uploads takes files, and answers no link.
    assert "http://127.0.0.1:8080/\n" in plain
    assert "http://127.0.0.1:8080/" in page.attributes["href"]
    assert "http://127.0.0.1:8080/account/emails\n" in plain
    assert not page.attributes.keys() & {"src", "background", "srcset", "action"}
    known = "html head meta title style body table tr td p h2 a br bdi"
    assert page.tags <= set(known.split())
    # Cells would have to be taken out again when their row is erased.
    for cause in stories.CAUSES:
        assert cause.message not in plain


def test_those_that_need_the_user_come_first() -> None:
    message = email_about(*ALL)
    assert message["Subject"] == "14 uploads are finished, and 8 need your attention"
    plain = body(message, "plain")
    needed, finished = plain.partition("\nFinished\n")[::2]
    assert "Needs your attention" in needed
    assert sentence(stories.FAILED) in needed
    assert sentence(stories.COMPLETED) in finished
    assert sentence(stories.CANCELLED) in finished


def test_where_all_went_well_there_is_one_list() -> None:
    message = email_about(*GOOD)
    assert message["Subject"] == "2 uploads are finished, and none of them needs your attention"
    assert "Finished" not in body(message, "plain")
    assert "Needs your attention" not in body(message, "html")


def test_the_headers_are_those_of_a_repeat_for_the_same_leader() -> None:
    first, again = email_about(*ALL), email_about(*ALL)
    assert first.as_bytes() == again.as_bytes()
    assert first["Message-ID"] == "<digest-u1@example.org>"
    assert first["List-Id"] == email_about(stories.COMPLETED)["List-Id"]
    assert first["Auto-Submitted"] == "auto-generated"
    assert email_about(ALL[1], *ALL[2:])["Message-ID"] == "<digest-u2@example.org>"
