"""Values on their way through the library: options are checked, arguments and exceptions sent, anything shown."""
