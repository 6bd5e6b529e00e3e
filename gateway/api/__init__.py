"""HTTP in: the operations of the API, a file per subject, and what they are declared with.

Each view reads the request, makes one call and shapes the answer. They import the rules
(`gateway.uploads`) and what hands a request on to another service (`gateway.proxy`).
"""
