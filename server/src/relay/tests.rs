//! What the core promises, in a world without sockets or disks: the clock stands still unless it is moved, and answers
//! of the engine come when and as a test wants.

mod blobs;
mod capsules;
mod catching_up;
mod changes;
mod clocks;
mod delivery;
mod early;
mod lifetime;
mod links;
mod lookups;
mod places;
mod room;
mod takeover;
mod tally;
mod told;
mod world;
