"""Bringing a schema to its newest version, with alembic."""

import structlog
from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from muster.database import Database

log = structlog.get_logger(__name__)


def upgrade(database: Database, history: str) -> None:
    """Bring the schema to the newest version in `history`, as in `package:folder`.

    A second call at the same time waits. A schema that a later release has brought further is left
    as it is: that is how a release goes back, and a migration that the former one cannot run with
    is named in the changelog. Raises DatabaseUnavailable.
    """
    config = Config()
    config.set_main_option("script_location", history)
    known = {each.revision for each in ScriptDirectory.from_config(config).walk_revisions()}
    with database.migrating() as connection:
        found = set(MigrationContext.configure(connection).get_current_heads())
        if later := found - known:
            log.warning("the schema is of a later version", revisions=sorted(later))
            return
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
