"""What an instrument's export holds: a reader an instrument, and what a folder of its files says of a plate."""
