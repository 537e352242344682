"""What follows from what: event name -> names of the tasks that are queued after the event's commit."""

REACTIONS: dict[str, tuple[str, ...]] = {}
