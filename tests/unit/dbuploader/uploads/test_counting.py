"""What is counted once for an upload, whatever happens on the way, and what for each attempt."""

import pytest
from flask.testing import FlaskClient
from prometheus_client import REGISTRY

from tests.unit.dbuploader.suite import Killed, Suite, killed

HIRE = {"id": 1, "name": "Ana", "datetime": "2021-07-27T16:02:08Z", "department_id": 1, "job_id": 2}


def count(name: str, **labels: str) -> float:
    value = REGISTRY.get_sample_value(f"muster_{name}_total", {"table": "jobs", **labels})
    assert value is not None
    return value


class Since:
    """How much a counter has grown."""

    def __init__(self, name: str, **labels: str) -> None:
        self._name, self._labels = name, labels
        self._before = count(name, **labels)

    def __call__(self) -> float:
        return count(self._name, **self._labels) - self._before


def test_a_redelivered_upload_is_counted_once(suite: Suite) -> None:
    uploads, inserted = Since("uploads", state="completed"), Since("rows", outcome="inserted")
    attempts = Since("load_attempts")
    upload_id = suite.accept("jobs", "8,Baker\n9,Cook\n")
    for _ in range(3):
        suite.processor().process_up_to(upload_id)
    assert (uploads(), inserted(), attempts()) == (1, 2, 1)


def test_a_load_that_is_begun_again_is_two_attempts_at_one_upload(suite: Suite) -> None:
    uploads, inserted = Since("uploads", state="completed"), Since("rows", outcome="inserted")
    attempts = Since("load_attempts")
    upload_id = suite.accept("jobs", "8,Baker\n9,Cook\n")
    suite.faulty_files.before["open"] = [killed]
    with pytest.raises(Killed):
        suite.processor().process_up_to(upload_id)
    suite.processor().process_up_to(upload_id)
    assert (uploads(), inserted(), attempts()) == (1, 2, 2)


def test_a_dry_run_is_an_upload_and_loads_no_rows(suite: Suite) -> None:
    uploads, inserted = Since("uploads", state="validated"), Since("rows", outcome="inserted")
    suite.load("jobs", "8,Baker\n", dry_run=True)
    assert (uploads(), inserted()) == (1, 0)


def test_a_batch_is_counted_with_its_answer_and_not_with_a_repeat(client: FlaskClient) -> None:
    inserted = Since("rows", table="hired_employees", outcome="inserted")
    for _ in range(2):
        answer = client.post(
            "/v1/tables/hired_employees/rows", json=[HIRE], headers={"Idempotency-Key": "key"}
        )
        assert answer.status_code == 200
    assert inserted() == 1


def test_the_rows_of_a_refused_batch_are_rejected_or_left(client: FlaskClient) -> None:
    rejected = Since("rows", table="hired_employees", outcome="rejected")
    unprocessed = Since("rows", table="hired_employees", outcome="unprocessed")
    bad = {**HIRE, "id": 2, "department_id": 99, "job_id": 99}
    client.post("/v1/tables/hired_employees/rows", json=[HIRE, bad])
    assert (rejected(), unprocessed()) == (1, 1)
