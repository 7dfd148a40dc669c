"""An order from 1C becomes tasks, each for the least busy person of the right department.

`run.orders` does the whole: reading (one batch), drafting (pure), writing (files, then one batch).
"""
