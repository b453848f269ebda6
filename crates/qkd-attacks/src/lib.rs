//! What Eve does to light on its way, one file each.
