"""What the site knows about a person: shown, handed out, erased on request and after a time."""
