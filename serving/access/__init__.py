"""Who may call, for what, and how often: keys, tokens, scopes, limits and what is noted of them."""
