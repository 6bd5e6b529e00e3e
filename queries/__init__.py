"""The queries service: the hiring questions and the rows of tables, over the employment database.

`views` call `hiring` and `rows`, which read by `repository` and `selection`, the only modules with
SQL.
It never writes: its database account may do no more than SELECT.
"""
