"""What every site of this project needs, whatever its pages are about: the protection of pages, sentences with codes,
moments in words, the parts of forms, the server. The monitor uses it, and so does the site of the repository.
"""
