"""`make demo`: workers are killed while they work; Redis then says which jobs were done, and how often."""
