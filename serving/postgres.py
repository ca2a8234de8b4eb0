"""How soon a connection to PostgreSQL tells that the database is away, or does not answer."""

from __future__ import annotations

AWAY = {
    "connect_timeout": "2",
    "options": "-c lock_timeout=2000 -c statement_timeout=5000"
    " -c idle_in_transaction_session_timeout=5000",  # who holds a lock and stops keeps nobody out
    "keepalives_idle": "2",
    "keepalives_interval": "1",
    "keepalives_count": "2",
    "tcp_user_timeout": "5000",  # of what was sent: keepalives wait for none that is on its way
}
