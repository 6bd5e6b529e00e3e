"""The auth service: users, permissions and tokens."""
