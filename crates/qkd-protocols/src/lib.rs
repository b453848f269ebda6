//! What differs between QKD protocols, one file each.
