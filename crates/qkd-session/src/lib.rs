//! Alice's and Bob's state machines for one link, without input or output.
