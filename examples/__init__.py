"""Programs with the library, one idea each. Tests run them."""
