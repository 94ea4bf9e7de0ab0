"""Artifacts on S3: whether a bucket can be used, before there is anything to keep."""

from __future__ import annotations

import os
from urllib.parse import urlparse

from segtrack.base.errors import SettingsError
from segtrack.settings import MlflowSettings


def require_bucket(settings: MlflowSettings) -> None:
    """Try to write where ``mlflow.artifacts=s3://...`` says.

    Raises:
        SettingsError: no package, no bucket, no rights, or no server there.
    """
    given = f"mlflow.artifacts={settings.artifacts}"
    try:
        import boto3
        from botocore.config import Config
        from botocore.exceptions import BotoCoreError, ClientError
    except ImportError as error:
        raise SettingsError(f"{given}: boto3 is missing: pip install 'segtrack[s3]'") from error

    parts = urlparse(settings.artifacts or "")
    seconds = settings.timeout
    config = Config(
        connect_timeout=seconds, read_timeout=seconds, retries={"total_max_attempts": 2}
    )
    try:
        endpoint = os.environ.get("MLFLOW_S3_ENDPOINT_URL")  # MLflow's own word for it
        client = boto3.client("s3", config=config, endpoint_url=endpoint)
        # Trying is the only sure way: rights to look say nothing of rights to write.
        client.put_object(Bucket=parts.netloc, Key=f"{parts.path.strip('/')}/.segtrack".lstrip("/"))
    except (BotoCoreError, ClientError, ValueError) as error:
        raise SettingsError(
            f"{given}: cannot write there ({error}); choose another place, or mend credentials "
            "(environment or ~/.aws) or the endpoint (AWS_ENDPOINT_URL)"
        ) from error
