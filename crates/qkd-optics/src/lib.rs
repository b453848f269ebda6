//! Light and the instruments that make, carry and detect it, and the bytes of a photon frame.
