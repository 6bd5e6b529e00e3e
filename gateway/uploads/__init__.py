"""The rules: what is accepted and how, who may see and change it, what is given back.

No view, no Flask: a view reads the request and calls one function of these. They import the
shared package, `gateway.proxy`, `gateway.errors` and one another.
"""
