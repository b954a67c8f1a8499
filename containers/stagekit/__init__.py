"""What every stage program shares: its frame and the data contracts. Standard library only, Python 3.8."""
