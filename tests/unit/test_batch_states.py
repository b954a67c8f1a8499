"""The words of AWS: what they say of a job, and what of a question."""

from __future__ import annotations

import time

import pytest
from botocore import exceptions

from tasks.errors import EngineError
from tasks.runtime.arrays.queue import CANCELLED, FAILED, LOST, OUT_OF_MEMORY, REFUSED, TIMED_OUT, NoAnswerError
from tasks.runtime.aws import aws, batch_states
from tasks.runtime.aws.aws import Account


@pytest.mark.parametrize(
    ("reason", "container", "how"),
    [
        ("Host EC2 (instance i-08784105ffff56b4f) terminated.", "", LOST),
        ("Host EC2 (instance i-08784105ffff56b4f) stopped", "", LOST),
        ("Host EC2 Terminated", "", LOST),
        ("Essential container in task exited", "OutOfMemoryError: Container killed due to memory usage", OUT_OF_MEMORY),
        ("Job attempt duration exceeded timeout", "", TIMED_OUT),
        ("cancelled by platewright", "", CANCELLED),
        ("Essential container in task exited", "", FAILED),
        ("", "", FAILED),
        ("Task failed to start", "CannotPullContainerError: ... manifest unknown", REFUSED),
        (
            "Task failed to start",
            "CannotPullContainerError: pull access denied for x, repository does not exist",
            REFUSED,
        ),
        (
            "Task failed to start",
            "CannotPullContainerError: net/http: request canceled (Client.Timeout exceeded)",
            LOST,
        ),
        (
            "Task failed to start",
            "CannotPullContainerError: toomanyrequests: You have reached your pull rate limit",
            LOST,
        ),
        (
            "Task failed to start",
            "CannotStartContainerError: OCI runtime: exec: python: executable file not found",
            REFUSED,
        ),
        ("ResourceInitializationError: failed to create shim task: context deadline exceeded", "", LOST),
        ("ResourceInitializationError: unable to pull secrets: AccessDeniedException", "", REFUSED),
        (
            "ResourceInitializationError: ... mount.nfs4: access denied by server while mounting",
            "",
            REFUSED,
        ),
        ("ResourceInitializationError: ... mount.nfs4: mounting 127.0.0.1:/x failed: No such file", "", REFUSED),
        ("ResourceInitializationError: ... Mount attempt 1/3 failed due to timeout after 15 sec", "", LOST),
        ("ECS was unable to assume the role 'arn:aws:iam::123456789012:role/x'", "", REFUSED),
        ("Task failed to start", "DockerTimeoutError: Could not transition to started; timed out after 3m", LOST),
        ("Canceled by JobStateTimeLimit action due to reason: CAPACITY:INSUFFICIENT_INSTANCE_CAPACITY", "", LOST),
        ("Canceled by JobStateTimeLimit action due to reason: MISCONFIGURATION:JOB_RESOURCE_REQUIREMENT", "", REFUSED),
    ],
)
def test_the_words_of_aws_say_what_to_do_with_a_job(reason: str, container: str, how: str) -> None:
    told = {
        "jobId": "a:3",
        "status": "FAILED",
        "statusReason": reason,
        "container": {"reason": container, "exitCode": 1},
    }
    seen = batch_states.of_failed(3, told)

    assert (seen.first, seen.last, seen.how) == (3, 3, how)
    assert reason in seen.said
    assert container in seen.said
    assert "exit code 1" in seen.said
    assert ("docs/aws.md" in seen.said or "images push" in seen.said) == (how == REFUSED)


def test_what_somebody_else_ended_is_cancelled_whatever_reason_he_gave() -> None:
    job = {"status": "FAILED", "statusReason": "too dear", "isTerminated": True}

    assert batch_states.of_failed(0, job).how == CANCELLED
    assert batch_states.of_failed(0, {**job, "isTerminated": False}).how == FAILED


def refusal(code: str, message: str = "why", status: int = 400) -> Exception:
    answer = {"Error": {"Code": code, "Message": message}, "ResponseMetadata": {"HTTPStatusCode": status}}
    return exceptions.ClientError(answer, "SubmitJob")


@pytest.mark.parametrize(
    "error",
    [
        refusal("TooManyRequestsException", status=429),
        refusal("ThrottlingException"),
        refusal("RequestLimitExceeded", status=503),
        refusal("ServerException", status=500),
        refusal("ExpiredTokenException"),
        exceptions.EndpointConnectionError(endpoint_url="https://batch"),
        exceptions.ConnectTimeoutError(endpoint_url="https://batch"),
        exceptions.ReadTimeoutError(endpoint_url="https://batch"),
        exceptions.ConnectionClosedError(endpoint_url="https://batch"),
        exceptions.UnauthorizedSSOTokenError(),
    ],
    ids=lambda error: type(error).__name__,
)
def test_what_may_pass_is_no_answer(error: Exception) -> None:
    with pytest.raises(NoAnswerError, match="batch:SubmitJob"), aws.meaning("batch", "submit_job"):
        raise error


WHO = "User: arn:aws:iam::123456789012:user/ann is not authorized to perform: batch:SubmitJob"


@pytest.mark.parametrize(
    ("error", "says_so"),
    [
        (refusal("AccessDeniedException", WHO, 403), "does not allow batch:SubmitJob: User: arn:.*ann.*docs/aws.md"),
        (refusal("UnrecognizedClientException", status=403), "who asks batch:SubmitJob.*sts get-caller-identity"),
        (refusal("ClientException", "JobQueue x not found"), "batch:SubmitJob failed: ClientException: JobQueue x"),
        (exceptions.NoCredentialsError(), "batch:SubmitJob: Unable to locate credentials; .*docs/aws.md"),
        (exceptions.NoRegionError(), r"nothing names a region: luigi.cfg \[aws_batch\] region"),
        (exceptions.ParamValidationError(report="x"), "batch:SubmitJob cannot be asked"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else "",
)
def test_what_does_not_pass_names_the_action_and_the_next_step(error: Exception, says_so: str) -> None:
    with pytest.raises(EngineError, match=says_so), aws.meaning("batch", "submit_job"):
        raise error


def test_nothing_is_submitted_twice_behind_our_back(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    somewhere = Account("us-east-1", "http://127.0.0.1:9")
    tried: list[float] = []
    client = aws.client(somewhere, "batch", once=True)
    client.meta.events.register("before-send.batch.SubmitJob", lambda **how: tried.append(time.monotonic()))

    with pytest.raises(NoAnswerError, match="does not answer batch:SubmitJob"):
        aws.ask(somewhere, "batch", "submit_job", once=True, jobName="a", jobQueue="b", jobDefinition="c")
    assert len(tried) == 1
