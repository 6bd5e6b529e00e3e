"""The users and their keys in their database: all of the auth service's SQL."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Row,
    Select,
    delete,
    func,
    insert,
    select,
    true,
    update,
)

from auth.schema import (
    access_keys,
    administration,
    audit_log,
    ended_tokens,
    link_tokens,
    links,
    login_networks,
    metadata,
    revocations,
    user_permissions,
    users,
)
from auth.users import AccessKey, AuditEntry, Link, StoredUser, account_key
from muster.contracts.emails import EmailChoice
from muster.database import Database

NETWORKS_PER_USER = 50


class UserTable:
    """The users within one transaction; with `lock`, what is read can't change until its end."""

    def __init__(self, connection: Connection, *, lock: bool) -> None:
        self._connection = connection
        self._lock = lock
        self.keys = KeyTable(connection)
        self.links = LinkTable(connection, lock=lock)
        self.audit = AuditTable(connection)

    def all(self) -> list[StoredUser]:
        """Every user, by email."""
        return self._users(select(users).order_by(users.c.account_key))

    def get(self, user_id: str) -> StoredUser | None:
        """The user of that id."""
        return next(iter(self._users(select(users).where(users.c.id == user_id))), None)

    def find(self, name: str) -> StoredUser | None:
        """The user of that email, however it is written."""
        query = select(users).where(users.c.account_key == account_key(name))
        return next(iter(self._users(query)), None)

    def find_enabled(self, name: str) -> str | None:
        """The id of the user of that email, if they are enabled; by one statement, in any case."""
        query = select(users.c.id, users.c.disabled).where(users.c.account_key == account_key(name))
        row = self._connection.execute(query.with_for_update()).first()
        return None if row is None or row.disabled else str(row.id)

    def lock_administrators(self) -> frozenset[str]:
        """The ids of the users who administer; nobody else can change them meanwhile.

        On another member of a cluster they can, but of both transactions one is a WriteConflict.
        """
        changes = administration.c.changes + 1
        self._connection.execute(update(administration).values(changes=changes))
        query = (
            select(users.c.id)
            .join(user_permissions, user_permissions.c.user_id == users.c.id)
            .where(user_permissions.c.permission == "users:admin", users.c.disabled.is_(False))
            .order_by(users.c.id)
            .with_for_update()
        )
        return frozenset(self._connection.execute(query).scalars())

    def add(self, user: StoredUser) -> None:
        """Add a user. An email that is taken ends the transaction in ConstraintViolated."""
        self._connection.execute(insert(users).values(_row_of(user)))
        self._grant(user.id, user.permissions)

    def save(self, user: StoredUser) -> None:
        """Replace what is kept of a user."""
        self._connection.execute(update(users).where(users.c.id == user.id).values(_row_of(user)))
        # A row that stays is left alone: on MySQL a row that is removed and added again makes a
        # deadlock with whoever waits to lock it.
        mine = user_permissions.c.user_id == user.id
        held = set(self._connection.scalars(select(user_permissions.c.permission).where(mine)))
        lost = user_permissions.c.permission.in_(held - user.permissions)
        self._connection.execute(delete(user_permissions).where(mine, lost))
        self._grant(user.id, user.permissions - held)

    def choose_emails(self, user_id: str, emails: EmailChoice) -> None:
        """Keep which emails the user wants."""
        self._connection.execute(update(users).where(users.c.id == user_id).values(emails=emails))

    def replace_hash(self, user: StoredUser, password_hash: str) -> None:
        """Keep another hash of the same password, unless the password has changed since."""
        same = (users.c.id == user.id) & (users.c.password_hash == user.password_hash)
        self._connection.execute(update(users).where(same).values(password_hash=password_hash))

    def delete(self, user_id: str) -> None:
        """Remove a user and their permissions."""
        self._connection.execute(delete(users).where(users.c.id == user_id))

    def revoke(self, user_id: str, generation: int | None, at: int) -> None:
        """Note that the user's tokens below `generation`, or all of them, ended at `at`."""
        self._connection.execute(delete(revocations).where(revocations.c.user_id == user_id))
        self._connection.execute(
            insert(revocations).values(user_id=user_id, generation=generation, revoked_at=at)
        )

    def forget_revocations(self, before: int) -> None:
        """Remove the revocations older than `before`."""
        self._connection.execute(delete(revocations).where(revocations.c.revoked_at < before))

    def revoked_since(self, since: int) -> dict[str, int | None]:
        """By user id: the minimum generation that still counts, or None when none does."""
        query = select(revocations.c.user_id, revocations.c.generation).where(
            revocations.c.revoked_at >= since
        )
        return {row.user_id: row.generation for row in self._connection.execute(query)}

    def end_token(self, token_id: str, user_id: str, expires_at: int) -> None:
        """Note that one token of the user ended. One that has ended is a ConstraintViolated."""
        self._connection.execute(
            insert(ended_tokens).values(token_id=token_id, user_id=user_id, expires_at=expires_at)
        )

    def has_ended(self, token_id: str) -> bool:
        """Whether that token was ended by itself."""
        query = select(ended_tokens.c.token_id).where(ended_tokens.c.token_id == token_id)
        return self._connection.execute(query).first() is not None

    def count_ended(self, user_id: str) -> int:
        """How many tokens of the user were ended one by one and are not forgotten yet."""
        query = select(func.count()).where(ended_tokens.c.user_id == user_id)
        return self._connection.execute(query).scalar_one()

    def forget_ended(self, before: int) -> None:
        """Remove the tokens whose time was over before."""
        self._connection.execute(delete(ended_tokens).where(ended_tokens.c.expires_at < before))

    def forget_ended_of(self, user_id: str) -> None:
        """Remove the tokens of one user."""
        self._connection.execute(delete(ended_tokens).where(ended_tokens.c.user_id == user_id))

    def ended(self, since: int) -> list[str]:
        """The tokens that were ended and whose time was not over at `since`."""
        query = select(ended_tokens.c.token_id).where(ended_tokens.c.expires_at >= since)
        return list(self._connection.execute(query).scalars())

    def seen_from(self, user_id: str, network: str) -> int | None:
        """When the user last logged in from there, by the day; None if they never did."""
        query = select(login_networks.c.seen_at).where(_is_login(user_id, network))
        return self._connection.execute(query).scalar()

    def see(self, user_id: str, network: str, at: int) -> None:
        """Note that the user logged in from there; of networks, the latest are kept."""
        mine = login_networks.c.user_id == user_id
        known = self.seen_from(user_id, network) is not None
        if known:
            change = update(login_networks).where(_is_login(user_id, network)).values(seen_at=at)
            self._connection.execute(change)
            return
        row = {"user_id": user_id, "network": network, "seen_at": at}
        self._connection.execute(insert(login_networks).values(row))
        latest = select(login_networks.c.network).where(mine)
        latest = latest.order_by(login_networks.c.seen_at.desc(), login_networks.c.network)
        surplus = list(self._connection.execute(latest).scalars())[NETWORKS_PER_USER:]
        if surplus:
            gone = mine & login_networks.c.network.in_(surplus)
            self._connection.execute(delete(login_networks).where(gone))

    def forget_networks(self, user_id: str) -> None:
        """Forget from where the user has logged in."""
        self._connection.execute(delete(login_networks).where(login_networks.c.user_id == user_id))

    def forget_networks_before(self, before: int) -> None:
        """Forget, of all users, the networks without a login since."""
        self._connection.execute(delete(login_networks).where(login_networks.c.seen_at < before))

    def _grant(self, user_id: str, permissions: Iterable[str]) -> None:
        rows = [{"user_id": user_id, "permission": name} for name in sorted(permissions)]
        if rows:
            self._connection.execute(insert(user_permissions), rows)

    def _users(self, query: Select[Any]) -> list[StoredUser]:
        rows = self._connection.execute(query.with_for_update() if self._lock else query).all()
        granted: dict[str, set[str]] = {row.id: set() for row in rows}
        held = select(user_permissions)
        if len(rows) == 1:
            held = held.where(user_permissions.c.user_id == rows[0].id)
        for row in self._connection.execute(held) if rows else ():
            granted[row.user_id].add(row.permission)
        return [_user_of(row, granted[row.id]) for row in rows]


class KeyTable:
    """The access keys within one transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def of(self, user_id: str) -> list[AccessKey]:
        """Those of a user, the newest first."""
        mine = select(access_keys).where(access_keys.c.user_id == user_id)
        order = access_keys.c.created_at.desc(), access_keys.c.id
        return [_key_of(row) for row in self._connection.execute(mine.order_by(*order))]

    def find(self, key_hash: str) -> AccessKey | None:
        """The key of that hash."""
        query = select(access_keys).where(access_keys.c.key_hash == key_hash)
        row = self._connection.execute(query).first()
        return None if row is None else _key_of(row)

    def add(self, key: AccessKey, key_hash: str) -> None:
        """Add a key."""
        permissions = " ".join(sorted(key.permissions))
        row = {**vars(key), "permissions": permissions, "key_hash": key_hash}
        self._connection.execute(insert(access_keys).values(row))

    def use(self, key_id: str, at: int) -> None:
        """Note that the key was used."""
        used = update(access_keys).where(access_keys.c.id == key_id)
        self._connection.execute(used.values(last_used_at=at))

    def delete(self, key_id: str) -> None:
        """Remove a key."""
        self._connection.execute(delete(access_keys).where(access_keys.c.id == key_id))

    def delete_of(self, user_id: str) -> None:
        """Remove those of a user."""
        self._connection.execute(delete(access_keys).where(access_keys.c.user_id == user_id))

    def forget_expired(self, before: int) -> None:
        """Remove, of all users, those whose time was over before."""
        self._connection.execute(delete(access_keys).where(access_keys.c.expires_at < before))


class LinkTable:
    """The one-time links within one transaction."""

    def __init__(self, connection: Connection, *, lock: bool) -> None:
        self._connection = connection
        self._lock = lock

    def add(self, link: Link, user_id: str | None) -> None:
        """Add a link of that user's, or of nobody's."""
        row = {
            **vars(link),
            "user_id": user_id,
            "account_key": account_key(link.email),
            "permissions": " ".join(sorted(link.permissions)),
            "published": False,
            "claimed_until": 0,
        }
        self._connection.execute(insert(links).values(row))

    def count_sent(self, account_key: str, since: int) -> int:
        """How many emails were asked for to that address, and are to be sent or were."""
        sent = (links.c.account_key == account_key) & links.c.user_id.is_not(None)
        query = select(func.count()).where(sent, links.c.requested_at > since)
        return self._connection.execute(query.select_from(links)).scalar_one()

    def get(self, link_id: str) -> Link | None:
        """The link of that id."""
        return self._one(select(links).where(links.c.id == link_id))

    def find(self, token_hash: str) -> Link | None:
        """The link that opens by the token of that hash."""
        tokens = select(link_tokens.c.link_id).where(link_tokens.c.token_hash == token_hash)
        return self._one(select(links).where(links.c.id == tokens.scalar_subquery()))

    def add_token(self, link_id: str, token_hash: str) -> None:
        """Let the token of that hash open the link."""
        row = {"link_id": link_id, "token_hash": token_hash}
        self._connection.execute(insert(link_tokens).values(row))

    def unpublished(self, limit: int = 100) -> list[Link]:
        """The oldest whose message may not be published yet."""
        query = select(links).where(links.c.published.is_(False))
        query = query.order_by(links.c.requested_at, links.c.id).limit(limit)
        return [_link_of(row) for row in self._connection.execute(query)]

    def claim(self, link_id: str, now: int, until: int) -> bool:
        """Whether the message about the link is this process's to publish, until then."""
        free = links.c.published.is_(False) & (links.c.claimed_until <= now)
        claimed = update(links).where(links.c.id == link_id, free).values(claimed_until=until)
        return self._connection.execute(claimed).rowcount == 1

    def mark_published(self, link_id: str) -> None:
        """Note that the message about the link is published."""
        self._connection.execute(update(links).where(links.c.id == link_id).values(published=True))

    def delete(self, link_id: str) -> None:
        """Remove a link and what opens it."""
        self._connection.execute(delete(links).where(links.c.id == link_id))

    def delete_of(self, user_id: str, *kinds: str) -> None:
        """Remove those of a user: of these kinds, or all."""
        mine = links.c.user_id == user_id
        of_kind = links.c.kind.in_(kinds) if kinds else true()
        self._connection.execute(delete(links).where(mine, of_kind))

    def forget(self, before: int) -> None:
        """Remove those that were asked for before."""
        self._connection.execute(delete(links).where(links.c.requested_at < before))

    def _one(self, query: Select[Any]) -> Link | None:
        row = self._connection.execute(query.with_for_update() if self._lock else query).first()
        return None if row is None else _link_of(row)


class AuditTable:
    """The audit log within one transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def add(self, entry: AuditEntry) -> None:
        """Add an entry; its id is the database's."""
        row = {name: value for name, value in vars(entry).items() if name != "id"}
        self._connection.execute(insert(audit_log).values(row))

    def list(
        self, since: int, action: str | None, user_id: str | None, before: int | None, limit: int
    ) -> list[AuditEntry]:
        """The newest entries that are older than the entry `before`."""
        query = select(audit_log).where(audit_log.c.at >= since)
        if action is not None:
            query = query.where(audit_log.c.action == action)
        if user_id is not None:
            query = query.where(audit_log.c.user_id == user_id)
        if before is not None:
            query = query.where(audit_log.c.id < before)
        rows = self._connection.execute(query.order_by(audit_log.c.id.desc()).limit(limit))
        return [AuditEntry(**row) for row in rows.mappings()]

    def forget(self, before: int, actions: Iterable[str], most: int) -> None:
        """Remove entries older than `before`, and of each action those beyond the `most` newest."""
        self._connection.execute(delete(audit_log).where(audit_log.c.at < before))
        for action in actions:
            mine = audit_log.c.action == action
            newest = select(audit_log.c.id).where(mine).order_by(audit_log.c.id.desc())
            last = self._connection.execute(newest.offset(most).limit(1)).scalar()
            if last is not None:
                surplus = delete(audit_log).where(mine, audit_log.c.id <= last)
                self._connection.execute(surplus)


class UserStore:
    """Opens transactions over the users. Each may raise DatabaseUnavailable."""

    def __init__(self, database: Database) -> None:
        self._database = database

    @contextmanager
    def reading(self) -> Iterator[UserTable]:
        """One consistent view."""
        with self._database.read() as connection:
            yield UserTable(connection, lock=False)

    @contextmanager
    def writing(self) -> Iterator[UserTable]:
        """One transaction; also raises ConstraintViolated, and WriteConflict."""
        with self._database.write() as connection:
            yield UserTable(connection, lock=True)

    def check(self) -> None:
        """Return if every table is there and can be read."""
        with self._database.read() as connection:
            for table in metadata.sorted_tables:
                connection.execute(select(table).limit(1))


def _is_login(user_id: str, network: str) -> ColumnElement[bool]:
    return (login_networks.c.user_id == user_id) & (login_networks.c.network == network)


def _row_of(user: StoredUser) -> dict[str, Any]:
    return {
        "id": user.id,
        "email": user.email,
        "account_key": account_key(user.email),
        "password_hash": user.password_hash,
        "disabled": user.disabled,
        "generation": user.generation,
        "emails": user.emails,
    }


def _user_of(row: Row[Any], permissions: set[str]) -> StoredUser:
    return StoredUser(
        id=row.id,
        email=row.email,
        password_hash=row.password_hash,
        permissions=frozenset(permissions),
        disabled=row.disabled,
        generation=row.generation,
        emails=row.emails,
    )


def _key_of(row: Row[Any]) -> AccessKey:
    return AccessKey(
        id=row.id,
        user_id=row.user_id,
        name=row.name,
        permissions=frozenset(row.permissions.split()),
        created_at=row.created_at,
        expires_at=row.expires_at,
        last_used_at=row.last_used_at,
    )


def _link_of(row: Row[Any]) -> Link:
    return Link(
        id=row.id,
        kind=row.kind,
        email=row.email,
        permissions=frozenset(row.permissions.split()),
        requested_at=row.requested_at,
        request_id=row.request_id,
        traceparent=row.traceparent,
        user_id=row.user_id,
    )
