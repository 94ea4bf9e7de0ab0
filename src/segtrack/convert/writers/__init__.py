"""One module for each program or format that is written."""
