"""A new site says what to do first, and takes the three files in whatever order they are chosen."""

import csv

from embedded.demo.expected import Expected
from tests.browser.first_day import SAMPLES, FirstDay


def test_empty_pages_say_what_to_do_first(first_day: FirstDay) -> None:
    assert "with a file of departments, one of jobs and one of hired" in first_day.said["/"]
    assert "The table is empty. Upload a file for it" in first_day.said["/tables/departments"]
    assert "after those for" in first_day.said["/tables/hired_employees"]
    assert "Nobody was hired yet" in first_day.said["/questions"]


def test_files_chosen_together_are_sent_in_the_order_in_which_they_refer(
    first_day: FirstDay,
) -> None:
    tables = [upload["table"] for upload in first_day.uploads]
    assert tables == ["departments", "jobs", "hired_employees"]


def test_the_list_shows_what_became_of_each(first_day: FirstDay) -> None:
    expected = Expected(SAMPLES).uploads
    for listed, upload in zip(first_day.listed, first_day.uploads[::-1], strict=True):
        cells = listed.split("\t")
        worked_out = expected[upload["table"]]
        rejected = len(worked_out.rejected)
        assert cells[0] == upload["filename"]
        assert cells[1] == ("Loaded in part" if rejected else "Loaded")
        numbers = [int(cell.replace(",", "")) for cell in (cells[2], cells[3], cells[5])]
        assert numbers == [worked_out.read, worked_out.loaded, rejected]


def test_what_was_sent_is_what_is_in_the_file(first_day: FirstDay) -> None:
    for upload in first_day.uploads:
        content = (SAMPLES / upload["filename"]).read_bytes()
        assert upload["size"] == len(content)
        assert upload["rows"]["read"] == len(list(csv.reader(content.decode().splitlines())))
