"""arq's own test-suite, run against our worker: the compatibility gate (`make arq-suite`)."""
