"""HTTP on: a request is forwarded to the service that answers it, and its answer handed back.

Nothing here knows what an upload is. It imports the shared package and `gateway.errors` only.
"""
