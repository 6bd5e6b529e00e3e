"""The pages about uploads: the list, one of them, and the rejected rows to correct."""

import html
import io
import re
from collections.abc import Callable
from datetime import timedelta

import pytest
from flask.testing import FlaskClient
from flask_openapi.openapi import OpenAPI

from gateway.web.session import COOKIE
from muster.contracts.rejects import CellError, Reject, RejectsHeader
from muster.contracts.uploads import (
    UNFINISHED,
    Cause,
    Failure,
    FilesRemoved,
    HiresImpact,
    Impact,
    MeanImpact,
    RowCounts,
    State,
    UndoCounts,
    UploadWarning,
    now,
)
from muster.stores import Stores
from tests.unit.gateway.behind import Behind
from tests.unit.gateway.fakes import ANA, CSV

HERE = {"Sec-Fetch-Site": "same-origin"}
HOSTILE = "<img src=x onerror=alert(1)>\"'\u202ejobs.csv"
BLANK = CellError("constraint-error", "job", "the cell is blank: job is required")


MAY_UNDO = "ana+uploads:write+uploads:read+uploads:undo"


@pytest.fixture
def browser(client: FlaskClient) -> FlaskClient:
    client.set_cookie(COOKIE, "ana+uploads:write+uploads:read")
    return client


def upload(client: FlaskClient, **query: str) -> str:
    query = {"table": "jobs", "filename": "jobs.csv", **query}
    answer = client.post("/v1/uploads", query_string=query, data=b"1,\n", headers={**ANA, **CSV})
    upload_id: str = answer.get_json()["id"]
    return upload_id


def finish(stores: Stores, upload_id: str, count: int = 1) -> None:
    lines = [RejectsHeader(("id", "job"), raw=False).to_json()]
    lines += [Reject(n, n, (str(n), ""), None, (BLANK,)).to_json() for n in range(1, count + 1)]
    with stores.files.write(f"{upload_id}.rejects") as file:
        file.write("".join(f"{line}\n" for line in lines).encode())
    stores.uploads.update(
        upload_id,
        expect=UNFINISHED,
        state=State.COMPLETED_WITH_REJECTS,
        rows=RowCounts(read=count, rejected=count),
        causes=(Cause(BLANK.code, "job", count, 1, BLANK.message),),
    )


def end(stores: Stores, upload_id: str, state: State) -> None:
    stores.uploads.update(upload_id, expect=UNFINISHED, state=state, finished_at=now())


def test_the_front_page_lists_my_uploads_newest_first(browser: FlaskClient) -> None:
    first, second = upload(browser), upload(browser)
    found = re.findall(r'data-upload="(\w+)"', browser.get("/").text)
    assert found == [second, first]


def test_the_list_is_paged_and_keeps_its_filter(browser: FlaskClient) -> None:
    ids = [upload(browser) for _ in range(25)]
    first = browser.get("/?table=jobs").text
    assert re.findall(r'data-upload="(\w+)"', first) == ids[:4:-1]
    (older,) = re.findall(r'rel="next" href="([^"]+)"', first)
    rest = browser.get(older.replace("&amp;", "&")).text
    assert re.findall(r'data-upload="(\w+)"', rest) == ids[4::-1]
    assert browser.get("/?state=failed").text.count("data-upload=") == 0


def test_uploads_are_found_by_name_and_day(browser: FlaskClient) -> None:
    (older, newer) = (upload(browser) for _ in range(2))
    today = now().date()
    for query, found in {
        "filename=JOBS": [newer, older],
        "filename=nothing": [],
        f"from={today}&to={today}": [newer, older],
        f"to={today - timedelta(days=1)}": [],
        # What makes no sense is passed over.
        "from=yesterday&state=none": [newer, older],
    }.items():
        text = browser.get(f"/?{query}").text
        assert re.findall(r'data-upload="(\w+)"', text) == found, query
    assert 'value="JOBS"' in browser.get("/?filename=JOBS").text


def test_what_a_dry_run_checked_is_loaded_by_one_button(
    browser: FlaskClient, stores: Stores
) -> None:
    dry_run = upload(browser, dry_run="true")
    end(stores, dry_run, State.VALIDATED)
    assert "Load it now" in browser.get(f"/uploads/{dry_run}").text
    pressed = [browser.post(f"/uploads/{dry_run}/load", headers=HERE) for _ in range(2)]
    [location] = {answer.location for answer in pressed}
    loads = location.rpartition("/")[2]
    assert stores.uploads.get(loads).loads == dry_run
    text = browser.get(f"/uploads/{dry_run}").text
    assert "Load it now" not in text
    assert f'href="/uploads/{loads}"' in text
    assert f'href="/uploads/{dry_run}"' in browser.get(location).text
    end(stores, loads, State.CANCELLED)
    assert "Load it now" in browser.get(f"/uploads/{dry_run}").text
    again = browser.post(f"/uploads/{dry_run}/load", headers=HERE).location
    assert again not in {location, f"/uploads/{dry_run}"}


def test_an_unknown_page_keeps_the_navigation(browser: FlaskClient) -> None:
    answer = browser.get("/nowhere", headers={"Accept": "text/html"})
    assert answer.status_code == 404
    assert "Sign out" in answer.text
    browser.delete_cookie(COOKIE)
    answer = browser.get("/nowhere", headers={"Accept": "text/html"})
    assert (answer.status_code, "Sign out" in answer.text) == (404, False)


@pytest.mark.parametrize("query", ["?cursor=%21", "?table=nothing"])
def test_a_mangled_address_gets_a_page_that_says_so(browser: FlaskClient, query: str) -> None:
    answer = browser.get(f"/{query}")
    assert answer.status_code == 422
    assert answer.mimetype == "text/html"


def test_an_upload_tells_its_counts_and_causes_in_words(
    browser: FlaskClient, stores: Stores
) -> None:
    upload_id = upload(browser)
    finish(stores, upload_id)
    text = browser.get(f"/uploads/{upload_id}").text
    assert "the only row was rejected" in text
    assert "Blank, too long or out of range" in text
    assert f"/v1/uploads/{upload_id}/rejects?spreadsheet=safe" in text
    assert 'value="1" size="5" aria-label="Id, line 1"' in text
    assert re.search(r'<td data-label="Job" class="bad"><input name="c1-1" value=""', text)
    assert '<span id="cause1"><b><bdi>Job</bdi></b> is blank</span>' in text
    assert "the cell is blank: Job is required" in text


def test_an_upload_tells_what_looks_wrong_though_nothing_of_it_was_rejected(
    browser: FlaskClient, stores: Stores
) -> None:
    upload_id = upload(browser)
    stores.uploads.update(
        upload_id,
        expect=UNFINISHED,
        state=State.COMPLETED,
        warnings=(UploadWarning("misread-text", 1003, "<b>JosÃ©</b>"),),
        warnings_total=1002,
    )
    text = browser.get(f"/uploads/{upload_id}").text
    assert "Please check" in text
    assert "Line 1,003: <bdi>&lt;b&gt;JosÃ©&lt;/b&gt;</bdi>" in text
    assert "and 1,001 more" in text
    assert "Please check" not in browser.get(f"/uploads/{upload(browser)}").text


def test_why_an_upload_failed_is_told_without_words_of_the_api(
    browser: FlaskClient, stores: Stores
) -> None:
    upload_id = upload(browser)
    detail = "190 of 199 rows would be updated and at most 5% may be (max_updated). "
    stores.uploads.update(
        upload_id,
        expect=UNFINISHED,
        state=State.FAILED,
        error=Failure("expectation", detail + "Nothing was loaded."),
    )
    words = told(browser, upload_id)
    assert "190 of 199 rows would be updated and at most 5% may be." in words
    assert "max_updated" not in words
    assert words.count("Nothing was loaded") == 1
    assert "Check whether it is the right file." in words


def test_another_users_upload_is_not_there(client: FlaskClient) -> None:
    upload_id = upload(client)
    client.set_cookie(COOKIE, "bob+uploads:write+uploads:read")
    for answer in (
        client.get(f"/uploads/{upload_id}"),
        client.post(f"/uploads/{upload_id}/cancel", headers=HERE),
        client.post(f"/uploads/{upload_id}/corrections", headers=HERE),
    ):
        assert answer.status_code == 404
        assert answer.mimetype == "text/html"


def test_changed_rows_are_a_new_upload_that_names_the_first(
    browser: FlaskClient, stores: Stores
) -> None:
    upload_id = upload(browser, mode="insert")
    finish(stores, upload_id, count=3)
    cells = {"c1-0": "1", "c1-1": "", "c2-0": "2", "c2-1": "Baker", "c3-0": "3", "c3-1": ""}
    answer = browser.post(f"/uploads/{upload_id}/corrections", data=cells, headers=HERE)
    assert answer.status_code == 303
    corrected = stores.uploads.get(answer.location.rpartition("/")[2])
    assert (corrected.previous, corrected.table, corrected.filename) == (
        upload_id,
        "jobs",
        "jobs.corrections.csv",
    )
    assert corrected.options.mode == "insert"
    with stores.open_file(corrected) as file:
        assert file.read() == b"id,job,_line,_code\r\n2,Baker,2,\r\n"
    assert f'href="/uploads/{upload_id}"' in browser.get(answer.location).text


def test_the_first_upload_names_those_that_correct_it(client: FlaskClient, stores: Stores) -> None:
    upload_id = upload(client)
    finish(stores, upload_id)
    client.set_cookie(COOKIE, "admin+uploads:write+uploads:read+uploads:admin")
    theirs = client.post(
        f"/uploads/{upload_id}/corrections", data={"c1-1": "x"}, headers=HERE
    ).location
    assert f'href="{theirs}"' in client.get(f"/uploads/{upload_id}").text
    # Ana's upload, corrected by an administrator, whose uploads she may not see.
    client.set_cookie(COOKIE, "ana+uploads:write+uploads:read")
    assert theirs not in client.get(f"/uploads/{upload_id}").text
    mine = client.post(
        f"/uploads/{upload_id}/corrections", data={"c1-1": "y"}, headers=HERE
    ).location
    assert f'href="{mine}"' in client.get(f"/uploads/{upload_id}").text


def test_rows_of_a_later_page_are_corrected_there(browser: FlaskClient, stores: Stores) -> None:
    upload_id = upload(browser)
    finish(stores, upload_id, count=510)
    assert 'href="?from=500"' in browser.get(f"/uploads/{upload_id}").text
    page = browser.get(f"/uploads/{upload_id}?from=500").text
    assert re.findall(r'name="(c\d+-1)"', page) == [f"c{line}-1" for line in range(501, 511)]
    cells = {"from": "500", "c510-1": "Baker"}
    answer = browser.post(f"/uploads/{upload_id}/corrections", data=cells, headers=HERE)
    with stores.open_file(stores.uploads.get(answer.location.rpartition("/")[2])) as file:
        assert file.read() == b"id,job,_line,_code\r\n510,Baker,510,\r\n"


def test_nothing_changed_is_nothing_to_send(browser: FlaskClient, stores: Stores) -> None:
    upload_id = upload(browser)
    finish(stores, upload_id)
    answer = browser.post(f"/uploads/{upload_id}/corrections", data={"c1-0": "1"}, headers=HERE)
    assert answer.status_code == 422
    assert "No cell was changed" in answer.text


def test_without_scripts_a_form_sends_a_file(browser: FlaskClient, stores: Stores) -> None:
    for query, table, dry_run in (("?table=jobs", "jobs", False), ("?dry_run=true", "jobs", True)):
        form = {"file": (io.BytesIO(b"1,Baker\n"), "jobs.csv")}
        answer = browser.post(f"/uploads{query}", data=form, headers=HERE)
        assert answer.status_code == 303
        sent = stores.uploads.get(answer.location.rpartition("/")[2])
        assert (sent.table, sent.options.dry_run) == (table, dry_run)
        assert 'http-equiv="refresh"' in browser.get(answer.location).text


def test_a_file_of_a_form_that_is_refused_is_told_on_a_page(browser: FlaskClient) -> None:
    form = {"file": (io.BytesIO(b"\x89PNG\r\n\x1a\n"), "jobs.csv")}
    answer = browser.post("/uploads", data=form, headers=HERE)
    assert (answer.status_code, answer.mimetype) == (415, "text/html")
    assert "a PNG image" in answer.text
    assert browser.post("/uploads?table=jobs").status_code == 403


def test_corrected_rows_that_there_is_no_place_for_are_refused_on_a_page(
    make_app: Callable[..., OpenAPI], stores: Stores
) -> None:
    browser = make_app(uploads_per_user=1).test_client()
    browser.set_cookie(COOKIE, "ana+uploads:write+uploads:read")
    upload_id = upload(browser)
    finish(stores, upload_id)
    sent = [
        browser.post(f"/uploads/{upload_id}/corrections", data={"c1-1": text}, headers=HERE)
        for text in ("Baker", "Cook")
    ]
    assert [answer.status_code for answer in sent] == [303, 429]
    assert (sent[1].mimetype, sent[1].headers["Retry-After"]) == ("text/html", "5")
    assert "As many of your uploads as may wait at once (1)" in sent[1].text


def test_an_upload_tells_what_was_asked_for(browser: FlaskClient) -> None:
    asked = {"mode": "insert", "max_rejects": "3", "delimiter": "tab", "header": "absent"}
    text = browser.get(f"/uploads/{upload(browser, **asked)}").text
    assert "rows whose id is taken are rejected; nothing is loaded with more than 3" in text
    assert "the first line is a row; cells are separated by tabs" in text
    assert "<dt>Options</dt>" not in browser.get(f"/uploads/{upload(browser)}").text


def test_an_upload_is_cancelled(browser: FlaskClient, stores: Stores) -> None:
    upload_id = upload(browser)
    answer = browser.post(f"/uploads/{upload_id}/cancel", headers=HERE)
    assert answer.location == f"/uploads/{upload_id}"
    assert stores.uploads.get(upload_id).cancel_requested
    assert "Being cancelled" in browser.get(answer.location).text
    finish(stores, upload_id)
    assert browser.post(f"/uploads/{upload_id}/cancel", headers=HERE).status_code == 409


@pytest.mark.parametrize(
    ("permissions", "first_page"),
    [
        ("queries:read+users:admin", "/questions"),
        ("users:admin", "/users"),
        ("rows:write", "/account"),
    ],
)
def test_who_has_no_business_with_uploads_begins_elsewhere(
    client: FlaskClient, permissions: str, first_page: str
) -> None:
    client.set_cookie(COOKIE, f"ana+{permissions}")
    assert client.get("/").location == first_page


def test_what_a_user_named_is_text_and_nothing_else(browser: FlaskClient, stores: Stores) -> None:
    upload_id = upload(browser, filename=HOSTILE)
    finish(stores, upload_id)
    for path in ("/", f"/uploads/{upload_id}"):
        text = browser.get(path).text
        assert "<img src=x" not in text
        assert "&lt;img src=x onerror=alert(1)&gt;&#34;&#39;\u202ejobs.csv</bdi>" in text


def test_who_may_only_read_sees_no_way_to_change(client: FlaskClient, stores: Stores) -> None:
    upload_id = upload(client)
    finish(stores, upload_id)
    client.set_cookie(COOKIE, "ana+uploads:read")
    assert 'id="send"' not in client.get("/").text
    assert "<input name=" not in client.get(f"/uploads/{upload_id}").text


def told(browser: FlaskClient, upload_id: str) -> str:
    """The words of the upload's page."""
    main = browser.get(f"/uploads/{upload_id}").text.partition("<main")[2]
    return " ".join(re.sub(r"<[^>]*>", " ", main).split())


def test_options_are_told_in_words(browser: FlaskClient) -> None:
    asked = {"columns": "Nr:id,Trade:job,Note:", "dates": "dmy", "delimiter": ";"}
    words = html.unescape(told(browser, upload(browser, **asked)))
    assert (
        'Options cells are separated by semicolons; "Nr" means Id, "Trade" means Job, "Note" is '
        "skipped; dates such as 7/11/2021 have the day first" in words
    )


def test_a_dry_run_tells_first_what_it_would_change(browser: FlaskClient, stores: Stores) -> None:
    upload_id = upload(browser, dry_run="true")
    hires = tuple(HiresImpact(2021, 3, n, f"{HOSTILE}{n}", n, n + 1234) for n in range(1, 21))
    means = (MeanImpact(2021, 1, "Sales", above=True), MeanImpact(2021, 2, "Legal", above=False))
    stores.uploads.update(
        upload_id,
        expect=UNFINISHED,
        state=State.VALIDATED,
        rows=RowCounts(read=9, inserted=9),
        impact=Impact(hires, 31, means, 5),
    )
    text = browser.get(f"/uploads/{upload_id}").text
    assert HOSTILE not in text
    assert text.index("What it would change in Hiring") < text.index("Would be inserted")
    words = told(browser, upload_id)
    assert "jobs.csv1 , Q3 2021: 1 → to 1,235" in words
    assert "25 more numbers" in words
    assert "and 11 that change less" in words
    assert "Sales comes above the mean of 2021 Legal is no longer above the mean of 2021" in words
    assert "and 3 more departments come above" in words
    assert 'href="/questions' not in text
    browser.set_cookie(COOKIE, "ana+uploads:read+queries:read")
    assert 'href="/questions?year=2021&amp;department=' in browser.get(f"/uploads/{upload_id}").text


def test_an_upload_that_changes_no_answer_says_so(browser: FlaskClient, stores: Stores) -> None:
    upload_id = upload(browser)
    stores.uploads.update(
        upload_id, expect=UNFINISHED, state=State.COMPLETED, change=7, impact=Impact()
    )
    assert "What it changed in Hiring Nothing: the numbers stay the same" in told(
        browser, upload_id
    )
    other = upload(browser)
    stores.uploads.update(other, expect=UNFINISHED, state=State.COMPLETED)
    assert "in Hiring" not in told(browser, other)


def loaded(browser: FlaskClient, stores: Stores) -> str:
    """An upload that has written three rows, a moment ago."""
    upload_id = upload(browser)
    stores.uploads.update(
        upload_id,
        expect=UNFINISHED,
        state=State.COMPLETED,
        finished_at=now(),
        rows=RowCounts(read=3, inserted=2, updated=1),
        change=7,
    )
    return upload_id


def ask_to_undo(browser: FlaskClient, upload_id: str, **form: str) -> str:
    """The id of the undo."""
    answer = browser.post(f"/uploads/{upload_id}/undo", data=form, headers=HERE)
    assert answer.status_code == 303, answer.text
    return str(answer.location).removeprefix("/uploads/")


def test_the_audit_log_names_rows_and_the_uploads_that_one_may_see(
    client: FlaskClient, behind: Behind
) -> None:
    client.set_cookie(COOKIE, "ana+uploads:write+uploads:read+users:admin")
    entry = {"at": "2021-11-07T02:48:42Z", "email": "x", "key": None, "address": "::1"}
    mine, none = upload(client, filename="mine.csv"), "0" * 32
    entries = [{**entry, "action": "undo", "subject": subject} for subject in (mine, none)]
    entries.append({**entry, "action": "erasure", "subject": "hired_employees 7"})
    behind.answers["GET /v1/audit"] = (200, {"entries": entries, "next": None})
    text = client.get("/audit").text
    assert f'<a href="/uploads/{mine}"><bdi>mine.csv</bdi></a>' in text
    assert f"<bdi>{none}</bdi>" in text
    assert "<bdi>Hired employees, row 7</bdi>" in text


def leave(stores: Stores, undo_id: str, state: State, counts: UndoCounts, *left: CellError) -> None:
    """The undo ends so; each row that it leaves as it is has one of these reasons."""
    lines = [RejectsHeader(("id", "job"), raw=False).to_json()]
    rejects = [Reject(0, n, (str(n), HOSTILE), None, (why,)) for n, why in enumerate(left, 1)]
    lines += [reject.to_json() for reject in rejects]
    if left:
        with stores.files.write(f"{undo_id}.load.rejects") as file:
            file.write("".join(f"{line}\n" for line in lines).encode())
    name = "load" if left else None
    stores.uploads.update(
        undo_id, expect=UNFINISHED, state=state, undone=counts, rejects=name, finished_at=now()
    )


def test_an_undo_is_asked_for_only_by_who_may(browser: FlaskClient, stores: Stores) -> None:
    upload_id = loaded(browser, stores)
    assert f"/uploads/{upload_id}/undo" not in browser.get(f"/uploads/{upload_id}").text
    assert browser.post(f"/uploads/{upload_id}/undo", headers=HERE).status_code == 403
    browser.set_cookie(COOKIE, MAY_UNDO)
    assert "Nothing is undone yet." in told(browser, upload_id)
    not_loaded = upload(browser)
    assert "See what it would do" not in told(browser, not_loaded)
    assert browser.post(f"/uploads/{not_loaded}/undo", headers=HERE).status_code == 409


def test_an_undo_is_shown_before_it_is_done(browser: FlaskClient, stores: Stores) -> None:
    browser.set_cookie(COOKIE, MAY_UNDO)
    upload_id = loaded(browser, stores)
    preview = ask_to_undo(browser, upload_id, dry_run="true")
    assert stores.uploads.get(preview).options.dry_run
    assert "Undo of jobs.csv Waiting Dry run: nothing is undone" in told(browser, preview)
    leave(stores, preview, State.VALIDATED, UndoCounts(written=3, restored=1, removed=2))
    words = told(browser, preview)
    assert "Rows that it wrote 3 Would be restored 1 Would be removed 2" in words
    assert "Only if every row can still be undone Undo 3 rows Leave it as it is" in words
    assert "Undoes the upload" in words
    undo = stores.uploads.get(ask_to_undo(browser, upload_id, mode="all"))
    assert (undo.kind, undo.options.mode, undo.options.dry_run) == ("undo", "all", False)
    assert "nothing is undone unless every row can be" in told(browser, undo.id)
    # Once more leads to the one that waits.
    assert ask_to_undo(browser, upload_id) == undo.id


def test_rows_that_an_undo_leaves_are_told_with_their_reasons(
    browser: FlaskClient, stores: Stores
) -> None:
    browser.set_cookie(COOKIE, MAY_UNDO)
    upload_id, later = loaded(browser, stores), upload(browser)
    undo = ask_to_undo(browser, upload_id)
    kept = CellError("kept", None, "changed by change 9", later)
    others = CellError("kept", None, "changed by change 10", "somebody's")
    counts = UndoCounts(written=3, removed=1, kept=2)
    leave(stores, undo, State.COMPLETED_WITH_REJECTS, counts, kept, others)
    text, words = browser.get(f"/uploads/{undo}").text, told(browser, undo)
    assert HOSTILE not in text
    assert "Not all undone" in words
    assert "Rows that stayed as they were Id Job Why" in words
    assert f'<a href="/uploads/{later}">see the upload</a>' in text
    assert "changed by change 10 : another user's upload" in words
    assert "Download the file" not in words
    assert "Send the corrected rows" not in words
    assert "/tables/jobs/1" not in text
    browser.set_cookie(COOKIE, f"{MAY_UNDO}+queries:read")
    assert 'href="/tables/jobs/1"' in browser.get(f"/uploads/{undo}").text


def test_where_nothing_can_be_undone_nothing_is_offered(
    browser: FlaskClient, stores: Stores
) -> None:
    browser.set_cookie(COOKIE, MAY_UNDO)
    preview = ask_to_undo(browser, loaded(browser, stores), dry_run="true")
    kept = CellError("kept", None, "changed by change 9")
    leave(stores, preview, State.VALIDATED, UndoCounts(written=1, kept=1), kept)
    words = told(browser, preview)
    assert "There is nothing to undo" in words
    assert "Rows that would stay as they are" in words
    assert "Leave it as it is" not in words


def test_an_undone_upload_says_so_and_its_undo_can_be_undone(
    browser: FlaskClient, stores: Stores
) -> None:
    browser.set_cookie(COOKIE, MAY_UNDO)
    upload_id = loaded(browser, stores)
    undo = ask_to_undo(browser, upload_id)
    leave(stores, undo, State.COMPLETED, UndoCounts(written=3, restored=1, removed=2))
    stores.uploads.update(undo, expect={State.COMPLETED}, change=8)
    stores.uploads.update(upload_id, expect={State.COMPLETED}, undone_by=undo)
    words = told(browser, upload_id)
    assert "jobs.csv Loaded Undone Your file was loaded, and has been undone since" in words
    assert "Undone by an undo" in words
    assert "See what it would do" not in words
    assert "Undo the undo This brings back what the undo took away." in told(browser, undo)
    rows = browser.get("/").text
    assert "2 rows removed, 1 restored" in rows
    assert "Undo of jobs.csv" in rows


def test_rejected_rows_that_are_no_longer_kept_are_said_to_be_gone(
    browser: FlaskClient, stores: Stores
) -> None:
    upload_id = upload(browser)
    finish(stores, upload_id)
    removal = FilesRemoved("expired", now())
    stores.uploads.update(upload_id, expect={State.COMPLETED_WITH_REJECTS}, files_removed=removal)
    words = told(browser, upload_id)
    assert "are no longer kept" in words
    assert "Download" not in words
