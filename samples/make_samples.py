"""Makes the sample files: `python samples/make_samples.py [DIRECTORY]`, always the same ones.

They look like what an HR system exports: no header, CRLF line ends, two of the files without a line
end after the last record, and a blank cell in some of the hires.
"""

import random
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

SEED = 20210101
HIRES = 2000
BLANKS = {"name": 18, "datetime": 12, "department_id": 17, "job_id": 15}
COLUMNS = ("id", "name", "datetime", "department_id", "job_id")
FIRST_HIRE = datetime(2021, 1, 4, 8, tzinfo=UTC)
LAST_HIRE = datetime(2022, 2, 25, 18, tzinfo=UTC)

DEPARTMENTS = (
    "Logistics",
    "Field Operations",
    "Quality Assurance",
    "Procurement",
    "Customer Care",
    "Data Platform",
    "Facilities",
    "Finance",
    "Communications",
    "Product Design",
    "Security",
    "Partnerships",
    "Internal Audit",
    "Translation",
)
LEVELS = ("Junior ", "", "Senior ", "Lead ")
ROLES = """
    Analyst Architect Auditor Buyer Chemist Coordinator Copywriter Designer Developer Dispatcher
    Editor Electrician Estimator Illustrator Inspector Instructor Interpreter Mechanic Planner
    Recruiter Researcher Scheduler Statistician Surveyor Technician Tester Translator Treasurer
    Underwriter Welder
"""
GIVEN_NAMES = """
    Aino Amadou Anouk Astrid Bao Beatriz Bogdan Chiara Dagny Darius Eilidh Emre Farid Freya
    Goran Hana Ines Ivo Jaya Joris Kamil Keiko Lars Leila Lucía Mateo Mira Nadia Niamh Olu Oskar
    Petra Quentin Rania Rosa Sanjay Søren Tariq Tove Uma Valentin Wanjiru Ximena Yara Yusuf
    Zofia
"""
FAMILY_NAMES = """
    Abara Almeida Bakker Bergström Castell Chukwu Dvorak Eklund Fabbri Fontaine Gallo Haddad
    Hoang Ibsen Jansen Kaplan Kowal Lindqvist Marchetti Mbeki Nakata Novak O'Rourke Okafor
    Pereira Quist Rahman Ribeiro Sato Silva Szabo Tanaka Torres Ueda Varga Virtanen Walsh Xu
    Yilmaz Zeman
"""


def jobs() -> list[str]:
    """Every role at every level."""
    return [level + role for role in ROLES.split() for level in LEVELS]


def hires() -> list[list[str]]:
    """Hires in the columns' order, some cells blank, at most one in a row."""
    chance = random.Random(SEED)
    popularity = [chance.randint(1, 12) for _ in DEPARTMENTS]
    rows = [_hire(chance, number, popularity) for number in range(1, HIRES + 1)]
    damaged = iter(chance.sample(range(HIRES), sum(BLANKS.values())))
    for column, count in BLANKS.items():
        for _ in range(count):
            rows[next(damaged)][COLUMNS.index(column)] = ""
    return rows


def _hire(chance: random.Random, number: int, popularity: list[int]) -> list[str]:
    # The last department hires nobody, so that the mean over all has a zero in it.
    department = chance.choices(range(1, len(DEPARTMENTS)), popularity[:-1])[0]
    moment = FIRST_HIRE + timedelta(
        seconds=chance.randrange(int((LAST_HIRE - FIRST_HIRE).total_seconds()))
    )
    return [
        str(number),
        f"{chance.choice(GIVEN_NAMES.split())} {chance.choice(FAMILY_NAMES.split())}",
        moment.strftime("%Y-%m-%dT%H:%M:%SZ"),
        str(department),
        str(chance.randint(1, len(jobs()))),
    ]


def files() -> dict[str, bytes]:
    """The content of each sample file, by its name."""
    departments = [[str(number), name] for number, name in enumerate(DEPARTMENTS, 1)]
    positions = [[str(number), name] for number, name in enumerate(jobs(), 1)]
    return {
        "departments.csv": _lines(departments).removesuffix("\r\n").encode(),
        "jobs.csv": _lines(positions).removesuffix("\r\n").encode(),
        "hired_employees.csv": _lines(hires()).encode(),
    }


def _lines(rows: list[list[str]]) -> str:
    return "".join(",".join(row) + "\r\n" for row in rows)


if __name__ == "__main__":
    directory = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent
    for name, content in files().items():
        (directory / name).write_bytes(content)
