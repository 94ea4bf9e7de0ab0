"""What MLflow holds of a run. Nothing else imports mlflow."""

import os

import lazy_loader

# MLflow would tell its maker what is done with it. Before mlflow is imported, which reads it; who
# wants it to tells it so by this variable.
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
