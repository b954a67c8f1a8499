"""What runs inside an element of an array on AWS Batch, around a stage's program. Standard library only, Python 3.8."""
