"""Programs of library users, each one idea; tests run them."""
