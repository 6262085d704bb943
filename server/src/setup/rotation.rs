//! New keys for the links and for the epoch keys, under the same identity. Whoever has the old ones is refused by every
//! client that saw the new descriptor (rule D3).
//!
//! Two keys and the descriptor that names them must change together, or the relay does not start. So they lie whole in one
//! file first (`length of the TLS key 2 │ TLS key │ epoch signer 32 │ descriptor`), and are taken up from there, by this
//! call or, after a crash, by the next. Nothing of the old keys is left in a freed block as far as that can be had.

use std::path::Path;

use beresta_proto::descriptor::{Descriptor, relay_id};
use beresta_proto::key::SigningKey;
use beresta_proto::limits::DESCRIPTOR_DAYS;
use beresta_proto::rng::Random;
use beresta_proto::time::{DAY_MS, Timestamp};
use zeroize::Zeroizing;

use super::{SetupError, describe, identity, next_sequence, whole};
use crate::home::{Home, HomeError, Name};
use crate::net::TlsKey;

/// Makes new keys, and a descriptor with a higher sequence number. In force from the relay's next start.
///
/// # Errors
/// [`SetupError`]: no relay, no identity key or another relay's. Nothing has changed then.
pub fn rotate(
    dir: &Path,
    identity: Option<&Path>,
    now: Timestamp,
    rng: &mut impl Random,
) -> Result<(), SetupError> {
    let home = Home::at(dir);
    whole(&home)?;
    let _alone = home.alone()?;
    finish(&home)?;
    let old = describe(dir)?;
    let sequence = next_sequence(Some(&old), now, false)?;
    let (named, here) = (identity, relay_id(&old.identity));
    let identity = identity::read(&home, named)?;
    if relay_id(&identity.verifying_key()?) != here {
        return Err(identity::refused(&home, named, &identity, here));
    }
    let (tls, signer) = (TlsKey::generate()?, SigningKey::random(rng));
    let descriptor = Descriptor {
        sequence,
        not_before: now,
        not_after: now.plus(DESCRIPTOR_DAYS * DAY_MS),
        tls_key: tls.hash(),
        epoch_signer: signer.verifying_key()?,
        ..old
    };
    let length = u16::try_from(tls.pkcs8().len()).map_err(|_| SetupError::Key)?;
    let mut whole = Zeroizing::new(Vec::with_capacity(2_048));
    whole.extend_from_slice(&length.to_be_bytes());
    whole.extend_from_slice(tls.pkcs8());
    whole.extend_from_slice(signer.expose());
    whole.extend_from_slice(&descriptor.sign(&identity)?);
    home.create_file(Name::Rotation, &whole)?;
    finish(&home)
}

/// Takes up what a rotation left, if it did.
pub(super) fn finish(home: &Home) -> Result<(), SetupError> {
    if !home.has(Name::Rotation) {
        return Ok(());
    }
    let whole = home.read(Name::Rotation)?;
    let damaged = SetupError::Home(HomeError::Damaged(Name::Rotation));
    let (length, rest) = whole.split_first_chunk().ok_or(damaged)?;
    let length = usize::from(u16::from_be_bytes(*length));
    // Zeros: it was taken up, and only its name is left.
    if length > 0 {
        let (tls, rest) = rest.split_at_checked(length).ok_or(damaged)?;
        let (signer, descriptor) = rest.split_first_chunk::<32>().ok_or(damaged)?;
        home.overwrite(Name::TlsKey, tls)?;
        home.overwrite(Name::EpochSigner, signer)?;
        home.replace(Name::Descriptor, descriptor)?;
        home.overwrite(Name::Rotation, &vec![0; whole.len()])?;
    }
    Ok(home.remove(Name::Rotation)?)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::random::SystemRandom;
    use crate::setup::{Wish, init, load};

    const NOW: Timestamp = Timestamp(1_795_512_000_000);

    fn relay() -> (tempfile::TempDir, Home) {
        let dir = tempfile::tempdir().unwrap();
        let wish = Wish {
            dir: dir.path().to_path_buf(),
            listen: Some("127.0.0.1:1".parse().unwrap()),
            public: vec!["192.0.2.1:443".parse().unwrap()],
            operator: Some("Anna".to_owned()),
            identity: None,
            clock_is_right: false,
        };
        init(&wish, NOW, &mut SystemRandom::new().unwrap()).unwrap();
        let home = Home::at(dir.path());
        (dir, home)
    }

    #[test]
    fn rotated_keys_are_others_under_the_same_address() {
        let (dir, home) = relay();
        let before = load(dir.path(), NOW).unwrap();
        let key = dir.path().join("elsewhere");
        fs::rename(home.path(Name::Identity), &key).unwrap();
        let mut rng = SystemRandom::new().unwrap();
        assert_eq!(rotate(dir.path(), None, NOW, &mut rng), Err(SetupError::NoIdentity));
        rotate(dir.path(), Some(&key), NOW, &mut rng).unwrap();
        let after = load(dir.path(), NOW).unwrap();
        assert_eq!(after.descriptor.address(), before.descriptor.address());
        assert_eq!(
            (after.descriptor.sequence, after.descriptor.operator.as_str()),
            (before.descriptor.sequence + 1, "Anna")
        );
        assert_ne!(after.descriptor.tls_key, before.descriptor.tls_key);
        assert_ne!(after.descriptor.epoch_signer, before.descriptor.epoch_signer);
        assert_eq!(after.namer.proof(), before.namer.proof(), "queues are found under the same names");
        assert!(!home.has(Name::Rotation));

        let (other, theirs) = relay();
        let refused = rotate(dir.path(), Some(&theirs.path(Name::Identity)), NOW, &mut rng);
        assert_eq!(refused, Err(SetupError::OtherIdentity(after.relay)));
        drop(other);
    }

    #[test]
    fn who_reads_a_relay_while_its_keys_are_rotated_does_not_take_it_for_damaged() {
        let (dir, _) = relay();
        let at = dir.path().to_owned();
        let rotations = std::thread::spawn(move || {
            for _ in 0..400 {
                match rotate(&at, None, NOW, &mut SystemRandom::new().unwrap()) {
                    Ok(()) | Err(SetupError::Home(HomeError::Busy)) => {}
                    Err(error) => return Err(error),
                }
            }
            Ok(())
        });
        let mut read = 0;
        while !rotations.is_finished() {
            match load(dir.path(), NOW) {
                Ok(_) => read += 1,
                Err(error) => assert_eq!(error, SetupError::Home(HomeError::Busy)),
            }
        }
        assert_eq!(rotations.join().unwrap(), Ok(()));
        assert!(read > 0);
    }

    #[test]
    fn a_rotation_that_was_killed_anywhere_is_taken_up_whole() {
        let (dir, home) = relay();
        let files = [Name::TlsKey, Name::EpochSigner, Name::Descriptor];
        let read = |name| home.read(name).unwrap().to_vec();
        let old = files.map(read);
        rotate(dir.path(), None, NOW, &mut SystemRandom::new().unwrap()).unwrap();
        let new = files.map(read);
        let rotated = load(dir.path(), NOW).unwrap().descriptor.sequence;
        let length = u16::try_from(new[0].len()).unwrap().to_be_bytes();
        let whole = [&length[..], &new[0], &new[1], &new[2]].concat();
        for done in 0..=files.len() {
            for (at, name) in files.into_iter().enumerate() {
                home.overwrite(name, if at < done { &new[at] } else { &old[at] }).unwrap();
            }
            home.overwrite(Name::Rotation, &whole).unwrap();
            let found = load(dir.path(), NOW).unwrap();
            assert_eq!((found.descriptor.sequence, files.map(read) == new), (rotated, true), "{done}");
        }
        home.overwrite(Name::Rotation, &vec![0; whole.len()]).unwrap();
        load(dir.path(), NOW).unwrap();
        assert!(!home.has(Name::Rotation) && files.map(read) == new);
        home.overwrite(Name::Rotation, &whole[..40]).unwrap();
        let damaged = SetupError::Home(HomeError::Damaged(Name::Rotation));
        assert_eq!(load(dir.path(), NOW).unwrap_err(), damaged);
    }
}
