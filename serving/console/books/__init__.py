"""Books that people upload in the console: taken in, priced beside the server, kept for a while."""
