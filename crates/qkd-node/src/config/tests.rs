//! Bad configurations, one by one.
