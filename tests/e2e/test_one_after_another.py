import csv
import io

from embedded.client import Client


def csv_file(*rows: tuple[object, ...]) -> bytes:
    text = io.StringIO(newline="")
    csv.writer(text).writerows(rows)
    return text.getvalue().encode()


def hires(first: int, count: int, department: int, job: int) -> bytes:
    return csv_file(
        *((first + n, f"Hire {n}", "2021-05-01T08:00:00Z", department, job) for n in range(count))
    )


def test_three_files_posted_at_once_see_each_other_in_their_order(admin: Client) -> None:
    posted = [
        admin.upload("departments.csv", csv_file((901, "First"))),
        admin.upload("jobs.csv", csv_file((901, "Clerk"))),
        admin.upload("hired_employees.csv", hires(901000, 50, 901, 901)),
    ]
    finished = [admin.wait(upload["id"]) for upload in posted]
    assert [upload["state"] for upload in finished] == ["completed"] * 3
    assert finished[-1]["rows"]["inserted"] == 50


def test_hires_posted_before_their_department_are_given_back_and_load_when_sent_again(
    admin: Client,
) -> None:
    early = admin.upload("hired_employees.csv", hires(902000, 20, 902, 902))
    admin.upload("departments.csv", csv_file((902, "Second")))
    last = admin.upload("jobs.csv", csv_file((902, "Smith")))
    assert admin.wait(early["id"])["rows"]["rejected"] == 20
    assert {row["_code"] for row in admin.rejects(early["id"])} == {"foreign-key"}
    admin.wait(last["id"])
    again = admin.upload("hired_employees.csv", admin.rejects_file(early["id"]))
    assert admin.wait(again["id"])["rows"]["inserted"] == 20


def test_a_reject_file_loads_once_it_is_mended(admin: Client) -> None:
    admin.upload("departments.csv", csv_file((903, "Third")))
    admin.upload("jobs.csv", csv_file((903, "Cook")))
    good, late = hires(903000, 5, 903, 903), b",Nobody,2021-02-30T00:00:00Z,903,903\r\n"
    upload = admin.wait(admin.upload("hired_employees.csv", good + late)["id"])
    assert upload["state"] == "completed_with_rejects"
    (reject,) = admin.rejects(upload["id"])
    assert (reject["_line"], reject["_row"]) == ("6", "6")
    mended = (
        admin.rejects_file(upload["id"])
        .replace(b"\n,Nobody", b"\n903005,Somebody")
        .replace(b"2021-02-30", b"2021-02-28")
    )
    again = admin.wait(admin.upload("hired_employees.csv", mended)["id"])
    assert again["rows"] == {
        "read": 1,
        "inserted": 1,
        "updated": 0,
        "unchanged": 0,
        "rejected": 0,
        "unprocessed": 0,
    }


def test_the_same_file_again_changes_nothing(admin: Client) -> None:
    content = csv_file((904, "Fourth"), (905, "Fifth"))
    assert admin.wait(admin.upload("departments.csv", content)["id"])["rows"]["inserted"] == 2
    assert admin.wait(admin.upload("departments.csv", content)["id"])["rows"]["unchanged"] == 2
