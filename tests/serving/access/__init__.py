"""Who may call: keys, tokens, scopes, limits, and what is noted of them."""
