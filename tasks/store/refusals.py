"""What S3 answers when it does not do what it is asked: a lost race, a passing fault, or something to be mended."""

from __future__ import annotations

from botocore.exceptions import BotoCoreError, ClientError, HTTPClientError
from botocore.exceptions import ConnectionError as NoConnectionError

S3Error = (ClientError, BotoCoreError)
STEPS = {
    "NotImplemented": "this service has no conditional writes; choose a data root on one that has (Amazon S3)",
    "NoSuchBucket": "make the bucket, or mend [paths] root in luigi.cfg",
    "AccessDenied": "who runs this needs s3:GetObject and s3:PutObject in the data root, s3:ListBucket on the bucket",
}


def is_lost_race(error: ClientError) -> bool:
    """Say whether the condition did not hold (412, or 404 where the object is gone), or another write came in (409)."""
    status: int = error.response["ResponseMetadata"]["HTTPStatusCode"]
    return status in (409, 412) or error.response["Error"]["Code"] == "NoSuchKey"


def passes(error: Exception) -> bool:
    """Say whether an error may be gone in a while: throttling, a fault of the service, no connection."""
    if not isinstance(error, ClientError):
        return isinstance(error, (HTTPClientError, NoConnectionError))
    status: int = error.response["ResponseMetadata"]["HTTPStatusCode"]
    return status == 429 or (status >= 500 and status != 501) or error.response["Error"]["Code"] == "RequestTimeout"


def told(bucket: str, key: str, error: Exception) -> str:
    """Return what could not be done, why, and the next step."""
    code = error.response["Error"]["Code"] if isinstance(error, ClientError) else ""
    step = STEPS.get(code, "see to it that S3 can be reached with these credentials, and run again")
    return f"s3://{bucket}/{key}: the claim could not be read or written: {error}; {step}"
