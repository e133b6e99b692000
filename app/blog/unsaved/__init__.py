"""What is typed in the editor and not saved yet: kept while typing, offered when the editor is opened again."""
