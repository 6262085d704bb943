//! Pre-key bundles of our own (rule S4). Each is for one meeting, and its private halves go when it was used or given up.

use beresta_proto::bundle::{Bundle, SignedPreKey};
use beresta_proto::id::Device;
use beresta_proto::rng::Random;
use beresta_proto::time::Timestamp;
use libsignal_protocol::{
    GenericSignedPreKey as _, KeyPair, KyberPreKeyRecord, PreKeyRecord, SignedPreKeyRecord,
    Timestamp as SignalTime, kem,
};
use zeroize::Zeroizing;

use super::account::Account;
use super::fault::AccountError;
use super::rng::SignalRng;
use crate::store::signal::PreKeyKind;
use crate::store::{StoreError, Tx};

/// Makes a bundle with a one-time, a signed and a Kyber pre-key, and keeps their private halves.
///
/// # Errors
/// [`AccountError`] if there is no account, or the store failed or is damaged.
pub fn make_bundle(tx: &Tx<'_>, now: Timestamp, rng: &mut impl Random) -> Result<Bundle, AccountError> {
    let own = Account::load(tx)?;
    let mut rng = SignalRng(rng);
    let damaged = |_| AccountError::Damaged;
    let (one_time_id, signed_id, kyber_id) = (
        fresh_id(tx, PreKeyKind::OneTime, &mut rng)?,
        fresh_id(tx, PreKeyKind::Signed, &mut rng)?,
        fresh_id(tx, PreKeyKind::Kyber, &mut rng)?,
    );
    let made = SignalTime::from_epoch_millis(now.0);
    let keep = |kind, id, record: Vec<u8>| tx.insert_pre_key(kind, id, signed_id, &Zeroizing::new(record));

    let one_time = KeyPair::generate(&mut rng);
    let record = PreKeyRecord::new(one_time_id.into(), &one_time).serialize().map_err(damaged)?;
    keep(PreKeyKind::OneTime, one_time_id, record)?;

    let signed = KeyPair::generate(&mut rng);
    let signed_public = array(&signed.public_key.serialize())?;
    let signature = sign(&own, &signed_public, &mut rng)?;
    let record = SignedPreKeyRecord::new(signed_id.into(), made, &signed, &signature);
    keep(PreKeyKind::Signed, signed_id, record.serialize().map_err(damaged)?)?;
    let signed = SignedPreKey { id: signed_id, public: signed_public, signature };

    let kyber = kem::KeyPair::generate(kem::KeyType::Kyber1024, &mut rng);
    let kyber_public = array(&kyber.public_key.serialize())?;
    let signature = sign(&own, &kyber_public, &mut rng)?;
    let record = KyberPreKeyRecord::new(kyber_id.into(), made, &kyber, &signature);
    keep(PreKeyKind::Kyber, kyber_id, record.serialize().map_err(damaged)?)?;
    let kyber = SignedPreKey { id: kyber_id, public: kyber_public, signature };

    Ok(Bundle {
        registration_id: own.registration_id(),
        device: Device::FIRST,
        identity: *own.identity(),
        signed,
        one_time: Some((one_time_id, array(&one_time.public_key.serialize())?)),
        kyber,
    })
}

/// Deletes the private halves of the bundle whose signed pre-key has this id: nobody can meet us by it any more.
/// A bundle that was used is gone already.
///
/// # Errors
/// [`StoreError`] if the store failed.
pub fn forget_bundle(tx: &Tx<'_>, signed_id: u32) -> Result<(), StoreError> {
    tx.delete_bundle(signed_id)?;
    Ok(())
}

/// A free id of 24 random bits: counted ids would tell how many people we met.
fn fresh_id(
    tx: &Tx<'_>,
    kind: PreKeyKind,
    rng: &mut SignalRng<'_, impl Random>,
) -> Result<u32, AccountError> {
    loop {
        let mut bytes = [0; 4];
        rng.0.fill(&mut bytes);
        let id = u32::from_be_bytes(bytes) >> 8;
        if id != 0 && tx.pre_key(kind, id)?.is_none() {
            return Ok(id);
        }
    }
}

fn sign(
    own: &Account,
    public: &[u8],
    rng: &mut SignalRng<'_, impl Random>,
) -> Result<[u8; 64], AccountError> {
    let pair = own.pair();
    let signature = pair.private_key().calculate_signature(public, rng).map_err(|_| AccountError::Damaged)?;
    array(&signature)
}

fn array<const N: usize>(bytes: &[u8]) -> Result<[u8; N], AccountError> {
    bytes.try_into().map_err(|_| AccountError::Damaged)
}
