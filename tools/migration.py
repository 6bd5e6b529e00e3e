"""Writes the migration that brings the employment database to what the declarations say.

    python -m tools.migration "locations"

It compares the declared tables with a new database that has all migrations so far, and writes the
next one: tables that are new. Read it, and commit it with the declaration. A change of a table that
is there needs a thought about its rows, so it is reported, and written by hand.
"""

import re
import subprocess
import sys
from argparse import ArgumentParser
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory

from alembic.autogenerate import produce_migrations, render_python_code
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.operations.ops import (
    CreateIndexOp,
    CreateTableOp,
    MigrateOperation,
    ModifyTableOps,
    UpgradeOps,
)
from alembic.script import ScriptDirectory

from dbuploader import migrations
from muster.contracts.tables import DeclarationRefused
from muster.contracts.tables.sql import metadata
from muster.database import open_database

VERSIONS = Path(migrations.__file__).with_name("versions")

_FILE = '''"""{title}."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

revision = "{revision}"
down_revision = "{down_revision}"


def upgrade() -> None:
    # On MySQL each statement takes place at once, and the migration may be run again.
{upgrade}


def downgrade() -> None:
{downgrade}
'''
_INDEX_GUARD = """

def _has_index(table: str, name: str) -> bool:
    return name in {index["name"] for index in sa.inspect(op.get_bind()).get_indexes(table)}
"""


def find_differences() -> list[MigrateOperation]:
    """What the declared tables have that a database with all migrations has not, one by one."""
    with (
        TemporaryDirectory() as folder,
        closing(open_database(f"sqlite:///{folder}/employment.db")) as database,
    ):
        migrations.migrate(database)
        with database.read() as connection:
            options = {
                "compare_type": True,
                "target_metadata": metadata,
                "include_name": lambda name, kind, _: kind != "table" or name in metadata.tables,
            }
            context = MigrationContext.configure(connection, opts=options)
            found = produce_migrations(context, metadata).upgrade_ops
    return list(_flat(found.ops if found else ()))


def _flat(operations: Sequence[MigrateOperation]) -> Iterator[MigrateOperation]:
    for operation in operations:
        if isinstance(operation, ModifyTableOps):
            yield from _flat(operation.ops)
        else:
            yield operation


def write_migration(title: str, operations: Sequence[MigrateOperation]) -> Path:
    """The next file of the history, which makes the tables of `operations`.

    Raises ValueError when one of them is no new table.
    """
    created = [each.table_name for each in operations if isinstance(each, CreateTableOp)]
    for each in operations:
        if isinstance(each, CreateTableOp):
            each.if_not_exists = True
        elif not (isinstance(each, CreateIndexOp) and each.table_name in created):
            raise ValueError(f"write this one by hand, with a thought of the rows: {_shown(each)}")
    newest = _newest_revision()
    revision = f"{int(newest) + 1:04}"
    text = _FILE.format(
        title=title[0].upper() + title[1:],
        revision=revision,
        down_revision=newest,
        upgrade="\n".join(map(_statement, operations)),
        downgrade="\n".join(f'    op.drop_table("{table}")' for table in reversed(created)),
    )
    if any(isinstance(each, CreateIndexOp) for each in operations):
        text += _INDEX_GUARD
    slug = re.sub(r"[^a-z0-9]+", "_", title.lower()).strip("_")
    file = VERSIONS / f"{revision}_{slug}.py"
    file.write_text(text)
    return file


def _newest_revision() -> str:
    config = Config()
    config.set_main_option("script_location", str(VERSIONS.parent))
    newest = ScriptDirectory.from_config(config).get_current_head()
    return newest or "0000"


def _statement(operation: MigrateOperation) -> str:
    code = _code(operation)
    if isinstance(operation, CreateIndexOp):
        guard = f'    if not _has_index("{operation.table_name}", "{operation.index_name}"):\n'
        return guard + re.sub("^", "    ", code, flags=re.MULTILINE)
    return code


def _code(operation: MigrateOperation) -> str:
    lines = render_python_code(UpgradeOps([operation])).splitlines()
    return "\n".join(line for line in lines if line.strip() and not line.strip().startswith("#"))


def _shown(operation: MigrateOperation) -> str:
    return " ".join(map(str, operation.to_diff_tuple()))


def main(argv: Sequence[str] | None = None) -> None:
    """Write the migration, or exit with status 1 and say why there is none."""
    parser = ArgumentParser(prog="tools.migration", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("title", help="what it brings, in a few words: it names the file")
    title = parser.parse_args(argv).title.strip()
    if not re.search("[A-Za-z]", title):
        parser.error('say what it brings, as in: make migration NAME="locations"')
    try:
        operations = find_differences()
        if not operations:
            sys.exit("The migrations make what the declarations say: there is nothing to write.")
        file = write_migration(title, operations)
    except (DeclarationRefused, ValueError) as error:
        sys.exit(str(error))
    ruff = Path(sys.executable).with_name("ruff")
    for command in (["check", "--fix", "--select", "I,Q"], ["format"]):
        subprocess.run([ruff, *command, "--quiet", file], check=True)
    print(f"{file}: read it, and commit it with the declaration")


if __name__ == "__main__":
    main()
