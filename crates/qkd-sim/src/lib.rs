//! Both ends, the fibre and Eve in one thread on a virtual clock.
