"""The ledger: every quote that was given, in an order and a form that nobody can alter unseen."""
