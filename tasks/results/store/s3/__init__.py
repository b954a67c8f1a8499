"""A data root on S3, for AWS Batch without a shared file system.

Only what opens a data root by its URL imports it; the others know a data root by what `Store` says.
"""
