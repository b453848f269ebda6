//! Tags, checks, orders and rekeys the messages of the classical channel.
