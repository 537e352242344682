"""When beat ticks. Due dates live in rows: an entry here only says how often somebody looks."""

BEAT_SCHEDULE: dict[str, dict[str, object]] = {}
