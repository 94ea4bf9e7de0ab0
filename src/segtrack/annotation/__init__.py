"""People's labels: what is sent to those who annotate, and what comes back."""
