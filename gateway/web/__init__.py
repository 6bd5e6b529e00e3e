"""The web page: HTML for people, over the same rules as the API, and scripts that call the API.

`views` has a file per subject; the files beside it are what all of them share. They import the
rules (`gateway.uploads`) and what makes requests and responses (`gateway.api`), never the app.
"""
