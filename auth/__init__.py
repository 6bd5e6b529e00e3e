"""The auth service: users, permissions, access tokens.

From the outside in: `views` and the command in `cli` call `logins` and `accounts`, which keep users
by `repository`; `tokens` has the signing key. A module imports only what comes after it there.
"""
