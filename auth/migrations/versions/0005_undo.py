"""The permission to undo uploads, for the users who administer uploads already."""

from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    # Run again, it gives nobody the permission twice.
    op.execute(
        "INSERT INTO user_permissions (user_id, permission) "
        "SELECT admins.user_id, 'uploads:undo' FROM user_permissions AS admins "
        "WHERE admins.permission = 'uploads:admin' AND NOT EXISTS ("
        "SELECT 1 FROM user_permissions AS held "
        "WHERE held.user_id = admins.user_id AND held.permission = 'uploads:undo')"
    )


def downgrade() -> None:
    op.execute("DELETE FROM user_permissions WHERE permission IN ('uploads:undo', 'rows:erase')")
