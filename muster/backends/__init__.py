"""What the adapters of all ports are built on: files and servers.

Durable files and SQLite files, the servers that Muster works on, and whether a backend answers.
May import contracts and observability only.
"""
