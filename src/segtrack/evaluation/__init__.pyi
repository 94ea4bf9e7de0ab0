from .stage import evaluate as evaluate
