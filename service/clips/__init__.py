"""The rules: what is made of a project, what may follow what. No I/O, no clock of their own."""
