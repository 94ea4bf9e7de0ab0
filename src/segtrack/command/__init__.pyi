from .compare import compare_runs as compare_runs
from .python_call import mlflow_settings as mlflow_settings
from .python_call import override_words as override_words
from .python_call import run_stages as run_stages
from .sides import Compared as Compared
from .sides import comparison_document as comparison_document
