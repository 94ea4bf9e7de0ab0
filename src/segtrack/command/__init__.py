"""The command line: compose, check, run, sweep; and its exit codes."""
