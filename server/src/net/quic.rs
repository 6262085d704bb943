//! QUIC's settings: little memory for a stranger, nothing that tells one visit from another.

use std::sync::Arc;
use std::time::Duration;

use quinn::crypto::HmacKey;
use quinn::crypto::rustls::QuicServerConfig;
use quinn::{Connection, EndpointConfig, IdleTimeout, ServerConfig, TransportConfig, VarInt};
use quinn_proto::RandomConnectionIdGenerator;

/// Handshakes that wait for us, at the most.
const MAX_INCOMING: usize = 1_024;
/// Bytes kept of one client before its handshake is accepted.
const INCOMING_BYTES: u64 = 16 * 1024;
/// Bytes kept of all clients before their handshakes are accepted.
const INCOMING_BYTES_TOTAL: u64 = 4 * 1024 * 1024;
/// Bytes that a client may send before we read, and bytes sent and not yet acknowledged: of a link at first, and as long as it
/// gets no wide windows. The longest frame fits.
pub(super) const NARROW: u32 = 24 * 1024;
/// The former, of a link that does.
pub(super) const WIDE_RECEIVE: u32 = 128 * 1024;
/// The latter.
pub(super) const WIDE_SEND: u64 = 256 * 1024;
/// A connection carries one link (rule L7): bytes on another stream would be kept and never read.
const BIDI_STREAMS: u32 = 1;
const UNI_STREAMS: u32 = 0;
/// A link without a sign of life ends. QUIC agrees on this once, in the handshake, so the shorter patience with those
/// who have not said a good command yet is the link's own ([`super::link`]): 10 s.
const IDLE: Duration = Duration::from_secs(120);

/// Between two stateless resets, of the relay together.
const RESET_INTERVAL: Duration = Duration::from_micros(100);

pub(super) fn endpoint_config(resets: Arc<dyn HmacKey>) -> EndpointConfig {
    let mut config = EndpointConfig::new(resets);
    // Quinn's own ids are recognised only by the process that drew them: those of before a restart would get no reset.
    config.cid_generator(|| Box::new(RandomConnectionIdGenerator::default()));
    // After a restart thousands come whom only a reset tells that it was one; and who sends noise must not keep it from them. A
    // reset is smaller than what it answers (RFC 9000 §10.3.3).
    config.min_reset_interval(RESET_INTERVAL);
    config
}

/// Has QUIC keep as much for a link as a fast line needs whose other end is far away.
pub(super) fn widen(connection: &Connection) {
    connection.set_send_window(WIDE_SEND);
    connection.set_receive_window(VarInt::from_u32(WIDE_RECEIVE));
}

/// The opposite: for one that rests.
pub(super) fn narrow(connection: &Connection) {
    connection.set_send_window(u64::from(NARROW));
    connection.set_receive_window(VarInt::from_u32(NARROW));
}

pub(super) fn server_config(tls: Arc<QuicServerConfig>) -> ServerConfig {
    let mut transport = TransportConfig::default();
    transport
        .max_concurrent_bidi_streams(VarInt::from_u32(BIDI_STREAMS))
        .max_concurrent_uni_streams(VarInt::from_u32(UNI_STREAMS))
        // The connection's own window is the narrower one, until it is widened.
        .stream_receive_window(VarInt::from_u32(WIDE_RECEIVE))
        .receive_window(VarInt::from_u32(NARROW))
        .send_window(u64::from(NARROW))
        .datagram_receive_buffer_size(None)
        .max_idle_timeout(IdleTimeout::try_from(IDLE).ok())
        // The spin bit shows every observer on the way the round-trip time.
        .allow_spin(false);
    // No padding to the MTU: a padded acknowledgement counts as in flight and is never acknowledged itself, so that two
    // lost ones fill the window of a bad line and nothing is said on it any more (quinn 0.11.12).
    let mut config = ServerConfig::with_crypto(tls);
    config
        .transport_config(Arc::new(transport))
        .migration(true)
        .max_incoming(MAX_INCOMING)
        .incoming_buffer_size(INCOMING_BYTES)
        .incoming_buffer_size_total(INCOMING_BYTES_TOTAL);
    // No address tokens for later visits: they would link a client's visits to each other.
    config.validation_token.sent(0);
    config
}
