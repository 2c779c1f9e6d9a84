//! Databases, transactions, migrations and the transactional outbox.
