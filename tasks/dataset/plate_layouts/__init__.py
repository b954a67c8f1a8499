"""Plate layouts as laboratories have them: read from csv, text or xlsx, and brought into the form of a platemap."""
