//! The parser of the ratchet header against every cut and many changes.
