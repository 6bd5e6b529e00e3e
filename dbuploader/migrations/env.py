"""What alembic runs: the connection comes from `migrate`."""

from alembic import context

from dbuploader.db import schema
from muster.contracts.tables import sql

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=[sql.metadata, schema.metadata],
)
with context.begin_transaction():
    context.run_migrations()
