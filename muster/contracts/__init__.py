"""What the services agree on: uploads, messages, rejects, the declared tables, and their words.

Plain data and how it is read and written; nothing here speaks to a server.
May import nothing else of the package.
"""
