"""What the page's scripts say of an upload is what its templates say of it."""

from dataclasses import replace
from datetime import timedelta
from itertools import product
from typing import Any, get_args

from playwright.sync_api import Page

from gateway.web.wording import ago, standing, word_for
from muster.contracts.upload_document import MOST_PLACES, QueuePlace, represent
from muster.contracts.uploads import Kind, RowCounts, State, UndoCounts, Upload, now
from muster.contracts.wording import in_words, undone
from tests.browser.conftest import only_on

_COUNTS = (
    RowCounts(),
    RowCounts(read=1, rejected=1),
    RowCounts(read=2, unchanged=1, rejected=1),
    RowCounts(read=2, updated=1, rejected=1),
    RowCounts(read=1, inserted=1),
)
_UNDONE = (
    UndoCounts(),
    UndoCounts(written=1, removed=1),
    UndoCounts(written=1_240, restored=1_234, removed=2, kept=3, blocked=1),
)
_PLACES = (*range(1, 125), MOST_PLACES - 1, MOST_PLACES)
_SECONDS = (0, 59, 61, 3_599, 3_601, 7_300, 86_399, 86_401, 600_000, 700_000)
_TEXTS = """async ([shown, times, messages]) => {
  const {show} = await import("/static/web/upload.js");
  const {ago} = await import("/static/web/ago.js");
  const {inWords} = await import("/static/web/reasons.js");
  const element = document.createElement("div");
  const part = element.appendChild(document.createElement("span"));
  const textOf = ([upload, field]) => {
    part.dataset.field = field;
    show(element, upload);
    return part.textContent;
  };
  return [shown.map(textOf), times.map(ago), messages.map((each) => inWords(...each))];
}"""
_MESSAGES = {
    "job_id 7 is in no row of jobs": {"id": "Id", "job_id": "Job"},
    "the id is blank: department_id is required": {"id": "Id", "department_id": "Department"},
    "the cell is blank: name is required": {"name": "Name", "id": "Id"},
    'name "JosÃ©" looks like "José"': {"name": "Name"},
    '"job_id" is not an integer: job_id takes the id of a row of jobs': {"job_id": "Job"},
    "line 2 has the same id with other values: keep one of the two": {"id": "Id"},
    "hired_employees has 7 already, and this upload only inserts: take the row out, or upload "
    "with mode=upsert": {"hired_employees": "hired employees"},
    'Line 1 has unknown columns: "Nr"; further ones are ignored if their labels begin with _, or '
    "if columns= gives them no column: columns=Nr:": {},
    "At most 5% may be (max_updated), see (MUSTER_EXPECTATIONS). Nothing was loaded.": {},
    "a batch changed it later (change 12)": {},
    '"31/02/2021" is no real date (dates=dmy: the day stands first)': {},
    "Vorname is no number": {"name": "Name", "id": "Id"},
}


@only_on("embedded")
def test_scripts_and_templates_have_the_same_words(page: Page) -> None:
    states = [_upload(*each) for each in product(get_args(Kind), State, _COUNTS)]
    undos = [replace(_upload("undo", State.COMPLETED), undone=rows) for rows in _UNDONE]
    places = [QueuePlace(position, now()) for position in _PLACES]
    times = [now() - timedelta(seconds=seconds) for seconds in _SECONDS]
    shown = [
        *((_document(each), "state") for each in states),
        *((_document(each), "undone") for each in undos),
        *((_document(_upload("upload", State.QUEUED), each), "queue") for each in places),
    ]
    page.goto("/")
    messages = [(message, list(headings.items())) for message, headings in _MESSAGES.items()]
    texts = page.evaluate(_TEXTS, [shown, [each.isoformat() for each in times], messages])
    assert texts == [
        [*map(word_for, states), *map(undone, undos), *map(standing, places)],
        [ago(each) for each in times],
        [in_words(*each) for each in _MESSAGES.items()],
    ]


def _upload(kind: Kind, state: State, rows: RowCounts | None = None) -> Upload:
    return Upload.without_file(
        kind,
        "jobs",
        "jobs.csv",
        owner="u",
        submitted_by="ana@example.com",
        request_id="r",
        traceparent="t",
        state=state,
        rows=rows or RowCounts(),
    )


def _document(upload: Upload, place: QueuePlace | None = None) -> dict[str, Any]:
    return represent(upload, place, may_name=lambda _: True)
