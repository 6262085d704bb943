//! The false world that the real cores are put into: bad lines, crashes, end-to-end runs over the real binaries.

#[cfg(feature = "world")]
pub mod fuzz;
#[cfg(feature = "world")]
pub mod sim;
#[cfg(feature = "world")]
pub mod vectors;
#[cfg(feature = "world")]
pub mod world;
