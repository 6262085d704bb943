//! The doors themselves, as data: who may name what. `docs/architecture.md` says why.

/// Names that only some rooms may use. A room is the start of a file's path, from the repository's root, without the
/// `.rs`: `client/src/crypto` is both `client/src/crypto.rs` and the folder beside it.
#[derive(Debug)]
pub(crate) struct Door {
    pub(crate) id: &'static str,
    /// Where the door is watched.
    pub(crate) watched: &'static [&'static str],
    /// The rooms behind it, which may use the names.
    pub(crate) rooms: &'static [&'static str],
    pub(crate) names: &'static [&'static str],
    /// Names under one of `names` that everybody may use all the same.
    pub(crate) save: &'static [&'static str],
}

const EVERYWHERE: &[&str] = &["proto/src", "server/src", "client/src"];
const CORES: &[&str] =
    &["proto/src", "server/src/relay", "client/src/engine", "client/src/crypto", "client/src/store"];
const IP_ADDRESSES: &[&str] = &[
    "std::net::IpAddr",
    "std::net::Ipv4Addr",
    "std::net::Ipv6Addr",
    "std::net::SocketAddr",
    "std::net::SocketAddrV4",
    "std::net::SocketAddrV6",
];

pub(crate) const DOORS: &[Door] = &[
    Door {
        id: "libsignal is named in the crypto room only",
        watched: EVERYWHERE,
        rooms: &["client/src/crypto"],
        names: &[
            "libsignal_protocol",
            "libsignal_core",
            "signal_crypto",
            "spqr",
            "libsignal_protocol_syft",
            "libsignal_core_syft",
            "signal_crypto_syft",
            "spqr_syft",
        ],
        save: &[],
    },
    Door {
        id: "nobody calls the HPKE that comes with libsignal: deny.toml ignores its advisories for that reason",
        watched: EVERYWHERE,
        rooms: &[],
        names: &[
            "signal_crypto::HpkeError",
            "signal_crypto::SimpleHpkeReceiver",
            "signal_crypto::SimpleHpkeSender",
            "hpke_rs",
            "hpke_rs_crypto",
        ],
        save: &[],
    },
    Door {
        id: "SQLite is named in the store and in the relay's queue engines only",
        watched: EVERYWHERE,
        rooms: &["client/src/store", "server/src/queue"],
        names: &["rusqlite", "libsqlite3_sys"],
        save: &[],
    },
    Door {
        id: "D-Bus is named where the desktop is asked only",
        watched: EVERYWHERE,
        rooms: &["client/src/desktop"],
        names: &["zbus"],
        save: &[],
    },
    Door {
        id: "sockets, QUIC and TLS are named where links are made only",
        watched: EVERYWHERE,
        rooms: &["client/src/transport", "server/src/net"],
        names: &[
            "quinn",
            "quinn_proto",
            "quinn_udp",
            "rustls",
            "socket2",
            "std::net",
            "tokio::net",
            "std::os::unix::net",
        ],
        // An address as a value opens nothing; the next door says who must not even see one.
        save: IP_ADDRESSES,
    },
    Door {
        id: "the relay's core and its queues never see an address of a client",
        watched: &["server/src/relay", "server/src/queue"],
        rooms: &[],
        names: &["std::net"],
        save: &[],
    },
    Door {
        id: "cores have no runtime, threads or clock",
        watched: CORES,
        rooms: &[],
        names: &["tokio", "std::thread", "std::time::Instant", "std::time::SystemTime", "std::process"],
        save: &[],
    },
    Door {
        id: "cores that decide open no file",
        watched: &["proto/src", "server/src/relay", "client/src/engine", "client/src/crypto"],
        rooms: &[],
        names: &["std::fs"],
        save: &[],
    },
    Door {
        id: "proto knows nobody else",
        watched: &["proto/src"],
        rooms: &[],
        names: &["beresta_server", "beresta_client", "tracing"],
        save: &[],
    },
    Door {
        id: "the relay and the client don't know each other",
        watched: &["server/src"],
        rooms: &[],
        names: &["beresta_client"],
        save: &[],
    },
    Door {
        id: "the client and the relay don't know each other",
        watched: &["client/src"],
        rooms: &[],
        names: &["beresta_server"],
        save: &[],
    },
    Door {
        id: "a front end knows the public face only",
        watched: &["client/src/bin"],
        rooms: &[],
        names: &["beresta_client", "beresta_proto", "argon2", "chacha20poly1305", "prost", "ring"],
        save: &["beresta_client::api"],
    },
    Door {
        id: "the crypto room knows no queues, relays or front ends",
        watched: &["client/src/crypto"],
        rooms: &[],
        names: &["crate::engine", "crate::transport", "crate::driver", "crate::api"],
        save: &[],
    },
    Door {
        id: "the store knows no meanings",
        watched: &["client/src/store"],
        rooms: &[],
        names: &["crate::engine", "crate::crypto", "crate::transport", "crate::driver", "crate::api"],
        save: &[],
    },
    Door {
        id: "the transport knows no contacts and keeps no state of theirs",
        watched: &["client/src/transport"],
        rooms: &[],
        names: &["crate::engine", "crate::crypto", "crate::store", "crate::driver", "crate::api"],
        save: &[],
    },
    Door {
        id: "the engine knows no links and no front ends",
        watched: &["client/src/engine"],
        rooms: &[],
        names: &["crate::transport", "crate::driver", "crate::api"],
        save: &[],
    },
    Door {
        id: "the relay's core knows no links' sockets",
        watched: &["server/src/relay"],
        rooms: &[],
        names: &["crate::net"],
        save: &[],
    },
    Door {
        id: "a queue doesn't know who asked",
        watched: &["server/src/queue"],
        rooms: &[],
        names: &["crate::relay", "crate::net"],
        save: &[],
    },
    Door {
        id: "the libraries read no environment",
        watched: EVERYWHERE,
        rooms: PROGRAMS,
        names: ENVIRONMENT,
        save: &[],
    },
];

/// Reading the environment. A program may, in one file of its own: it is where the locale comes from.
pub(crate) const ENVIRONMENT: &[&str] =
    &["std::env::var", "std::env::var_os", "std::env::vars", "std::env::vars_os", "std::env::set_var"];

/// Where programs begin; they alone talk on standard output and error.
pub(crate) const PROGRAMS: &[&str] =
    &["client/src/bin", "server/src/main", "server/src/bin", "server/src/cli"];

/// Macros that write to the terminal.
pub(crate) const PRINTING: &[&str] = &["print", "println", "eprint", "eprintln", "dbg"];

/// Macros of `tracing` that take a text, which has to be a constant.
pub(crate) const LOGGING: &[&str] = &[
    "trace",
    "debug",
    "info",
    "warn",
    "error",
    "trace_span",
    "debug_span",
    "info_span",
    "warn_span",
    "error_span",
];

/// Macros and attributes of `tracing` whose fields nobody can watch.
pub(crate) const LOGGING_REFUSED: &[&str] = &["event", "span", "instrument"];

/// A `.rs` file has at most so many lines.
pub(crate) const MAX_LINES: usize = 400;

/// Files that may be longer, each with its reason beside it. Aim: none.
pub(crate) const LONGER: &[&str] = &[];
