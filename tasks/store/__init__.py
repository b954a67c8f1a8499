"""A data root on S3: who is at what."""
