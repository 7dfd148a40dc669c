"""An order from 1C becomes tasks, each for the least busy person of the right department.

Four phases: `portal_state` (what is), `planner` (what shall be, with reasons), `apply` (what is sent) and `report`
(how it turned out). `recovery` says what is done about a write whose answer was lost; `ledger` keeps how far one is.

Jobs that only look share the rest: `standing` (how orders stand), `order_lookup` (which order a number means), `team`
(whom a name means).
"""
