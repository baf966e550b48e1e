"""How far back recurrent and n-gram language models reach, measured on the user's text."""
