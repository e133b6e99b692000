"""The parts of the web server that belong to no feature."""
