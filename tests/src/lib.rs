//! The false world that the real cores are put into, and the real programs as processes: started, typed at, killed.

#[cfg(feature = "world")]
mod forge;
#[cfg(feature = "world")]
pub mod fuzz;
pub mod process;
#[cfg(feature = "world")]
mod ratchet;
#[cfg(feature = "world")]
pub mod sim;
#[cfg(feature = "world")]
pub mod vectors;
#[cfg(feature = "world")]
pub mod world;
