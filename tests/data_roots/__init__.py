"""Data roots that earlier versions made, trimmed: every later version reads them and finds nothing stale."""
