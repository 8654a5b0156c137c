"""What test/lab is made of: a private PostgreSQL, vantage6-pushd processes, tokens, and the lab."""
