//! The daemons: sockets, configuration, storage, shutdown.
