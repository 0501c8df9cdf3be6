"""The documentation form: what is asked, what was answered, what that is worth."""
