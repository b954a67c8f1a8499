"""The data root as runs see it: a folder of this machine or of a shared file system, or a bucket on S3."""
