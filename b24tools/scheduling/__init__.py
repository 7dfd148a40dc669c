"""Pure rules of working time and workload: no I/O and no clock of their own."""
