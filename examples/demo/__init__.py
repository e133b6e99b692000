"""`make demo`: kill workers during their work, and count in Redis which jobs were done, and how often."""
