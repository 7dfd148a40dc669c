"""An order from 1C becomes tasks, each for the least busy person of the right department.

Four phases: `portal_state` (what is), `planner` (what shall be, with reasons), `apply` (what is sent) and `report`
(how it turned out). `recovery` says what is done about a write whose answer was lost; `ledger` keeps how far one is.
"""
