"""An order that asks for an answer by email: a job with steps that waits for days."""
