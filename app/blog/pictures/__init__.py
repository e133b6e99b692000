"""Pictures of posts: checked by their content, written anew without what a camera adds, kept in DATA_DIR."""
