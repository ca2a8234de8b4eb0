"""Who else pays: schemes that share losses, and public money that lowers a rate."""
