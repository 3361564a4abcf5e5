"""From bytes to what the rules judge: one module for each form in which a configuration comes.

Told by content and never by a file's name. What decides where a request goes and could not be read is kept with its
reason, and what is none of these forms is an error: the linter is never silent about what it has not seen.
"""
