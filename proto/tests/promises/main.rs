//! What the bytes promise, each test named for its promise; `docs/protocol` names the tests by its rules.
//!
//! Values come from seeds: a seed that fails is printed and makes the same value again.

#[cfg(test)]
mod capsules;
#[cfg(test)]
mod contents;
#[cfg(test)]
mod descriptors;
#[cfg(test)]
mod envelopes;
#[cfg(test)]
mod frames;
#[cfg(test)]
mod hostile;
#[cfg(test)]
mod invites;
#[cfg(test)]
mod keys;
#[cfg(test)]
mod redaction;
#[cfg(test)]
mod values;
