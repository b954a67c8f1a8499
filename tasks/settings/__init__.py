"""luigi.cfg as frozen, checked values."""
