"""Runs the versions in the transaction that `notification.migrations.migrate` hands over."""

from alembic import context

from notification.channels.webhook.schema import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
)
with context.begin_transaction():
    context.run_migrations()
