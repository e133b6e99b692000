"""What a task is, without sending anything."""
