//! Keys with identities and their life, committed on both sides before either may deliver.
