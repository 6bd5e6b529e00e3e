"""The auth service: users, permissions, access tokens.

From the outside in: `views` and the command in `cli` call `logins` and `accounts`, which keep users
by `repository`; `tokens` issues and checks them. A module imports only what comes after it there.
"""
