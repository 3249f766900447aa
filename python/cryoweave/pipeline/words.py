"""Names that the command line shares with the pipeline; importing them costs nothing."""

STAGE_FILE = "stage.json"
"""What a stage's folder holds beside the result: its key, digest and what it took."""
NEVER_RAN = "it has not run yet"
"""Why a step without a kept result runs."""
