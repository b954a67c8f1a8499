"""What a person reads where S3 does not do what it is asked: the object, why, and the next step."""

from __future__ import annotations

import getpass

from tasks.runtime.aws.answers import Answer, Kind

MAY_NOT = {Kind.DENIED, Kind.UNKNOWN_CALLER, Kind.EXPIRED}


def told(bucket: str, key: str, what: str, answer: Answer) -> str:
    """Return why an object could not be read, written, ...: `what` is the verb."""
    return f"s3://{bucket}/{key}: {_why(what, answer, bucket)}" if answer.code else f"s3://{bucket}: {_unasked(answer)}"


def _why(what: str, answer: Answer, bucket: str) -> str:
    if answer.kind is Kind.NO_BUCKET:
        return f"there is no bucket {bucket} ({answer.code}); see [paths] root in luigi.cfg, or make it (docs/aws.md)"
    if answer.kind is Kind.NOT_IMPLEMENTED:
        why = f"this service cannot {what} it ({answer})"
        return f"{why}: it has no conditional writes; choose a data root on one that has (Amazon S3)"
    if answer.kind in MAY_NOT:
        who = f"who runs this ({getpass.getuser()} here) may not {what} it ({answer})"
        return f"{who}; give that user or role the controller's policy of infrastructure/aws.yaml (docs/aws.md)"
    return f"S3 did not {what} it ({answer}); run again"


def _unasked(answer: Answer) -> str:
    if answer.kind is Kind.BUSY:
        return f"{answer.said}; see to it that S3 can be reached from here, and run again"
    return (
        f"{answer.said}; credentials come from AWS_... variables, ~/.aws or the machine's role, "
        "the region from [aws_batch] region (docs/aws.md)"
    )
