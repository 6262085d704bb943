//! Links to a server: TLS 1.3 over TCP, set up alike for everybody.

use std::path::Path;
use std::sync::Arc;

use bytes::BytesMut;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::client::Resumption;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::version::TLS13;
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

/// Bytes that are read at once.
const CHUNK: usize = 32 * 1024;

/// Makes links to servers that show one certificate.
#[derive(Clone)]
pub(crate) struct Dialer(TlsConnector);

impl Dialer {
    /// Trusts the certificate in this file, and no other.
    pub(crate) fn trusting(certificate: &Path) -> Self {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_file(certificate).unwrap()).unwrap();
        let mut tls = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_protocol_versions(&[&TLS13])
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        tls.resumption = Resumption::disabled();
        Self(TlsConnector::from(Arc::new(tls)))
    }

    /// A link to a port of loopback.
    pub(crate) async fn dial(&self, port: u16) -> Link {
        let stream = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
        // A message must not wait for the acknowledgement of the one before.
        stream.set_nodelay(true).unwrap();
        let name = ServerName::try_from("localhost").unwrap();
        Link { stream: self.0.connect(name, stream).await.unwrap(), unread: BytesMut::new() }
    }
}

/// A link, and what came on it that was not understood yet.
pub(crate) struct Link {
    stream: TlsStream<TcpStream>,
    pub(crate) unread: BytesMut,
}

impl Link {
    /// Says something, at once.
    pub(crate) async fn say(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).await.unwrap();
        self.stream.flush().await.unwrap();
    }

    /// Waits until there is more to understand. Nothing is lost if the future is dropped.
    pub(crate) async fn more(&mut self) {
        self.unread.reserve(CHUNK);
        assert_ne!(self.stream.read_buf(&mut self.unread).await.unwrap(), 0, "the server ended the link");
    }

    /// Says goodbye and waits until the server has, so that nothing of what was said before is lost.
    pub(crate) async fn end(mut self, goodbye: &[u8]) {
        // A server may hang up first.
        let _ = self.stream.write_all(goodbye).await;
        let _ = self.stream.shutdown().await;
        while let Ok(1..) = self.stream.read_buf(&mut self.unread).await {
            self.unread.clear();
        }
    }
}
