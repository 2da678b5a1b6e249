"""Pages for people: the report on a class, and a student's feedback. One HTML file each.

A page loads nothing from elsewhere. Its templates lie in templates/; its words, in both languages,
are the table PAGES of autograder/messages.
"""
