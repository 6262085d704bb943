//! Exact bytes and back.
