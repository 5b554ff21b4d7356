//! TLS over any stream, for sides that listen and sides that connect; rustls with ring does the work.
//!
//! Not for simulated runs: TLS takes entropy from the system and looks at the wall clock, so no two runs send equal bytes.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::pem::{self, PemObject as _};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use thiserror::Error;
use tokio::time::{Instant, timeout_at};
use tokio_rustls::{TlsAcceptor, TlsConnector};

use crate::config::{TlsClient, TlsServer};
use crate::net::BoxStream;

/// Certificates in one file: every authority of a large system, and more.
const CERTIFICATES_MAX: usize = 1024;
/// A PEM file larger than this is not one.
const FILE_BYTES_MAX: u64 = 4 * 1024 * 1024;

/// Why there is no TLS.
#[derive(Debug, Error)]
pub enum TlsError {
    /// A file cannot be read, or is not what it should be.
    #[error("{}: {why}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// The name of the peer is none.
    #[error("`{0}` is neither a host's name nor an IP address")]
    Name(String),
    /// Certificate and key do not go together, or are of a kind that is not supported.
    #[error("{0}")]
    Unusable(#[from] rustls::Error),
    /// The peer shook hands wrongly, or not to our satisfaction.
    #[error("tls handshake: {0}")]
    Handshake(#[from] io::Error),
    /// The peer did not shake hands in time.
    #[error("tls handshake: not done in time")]
    TimedOut,
}

/// TLS for a side that listens. Clones share it.
#[derive(Clone)]
pub struct ServerTls(TlsAcceptor);

impl ServerTls {
    /// Reads certificate and key.
    pub fn load(config: &TlsServer) -> Result<Self, TlsError> {
        let chain = certificates(&config.cert_file)?;
        let key = private_key(&config.key_file)?;
        let mut tls = ServerConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_single_cert(chain, key)?;
        tls.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Self(TlsAcceptor::from(Arc::new(tls))))
    }

    /// Shakes hands with a client until `deadline`.
    pub async fn accept(&self, stream: BoxStream, deadline: Instant) -> Result<BoxStream, TlsError> {
        let secured =
            timeout_at(deadline, self.0.accept(stream)).await.map_err(|_elapsed| TlsError::TimedOut)??;
        Ok(Box::new(secured))
    }
}

/// TLS for a side that connects. Clones share it.
#[derive(Clone)]
pub struct ClientTls {
    connector: TlsConnector,
    name: ServerName<'static>,
}

impl ClientTls {
    /// Reads the authorities.
    pub fn load(config: &TlsClient) -> Result<Self, TlsError> {
        let name = ServerName::try_from(config.server_name.clone())
            .map_err(|_| TlsError::Name(config.server_name.clone()))?;
        let mut roots = RootCertStore::empty();
        for authority in certificates(&config.ca_file)? {
            roots.add(authority).map_err(|error| wrong(&config.ca_file, error))?;
        }
        let tls = ClientConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots)
            .with_no_client_auth();
        Ok(Self { connector: TlsConnector::from(Arc::new(tls)), name })
    }
}

/// Shakes hands with the server at the other end of `stream` until `deadline`.
pub async fn connect(stream: BoxStream, tls: &ClientTls, deadline: Instant) -> Result<BoxStream, TlsError> {
    let shaking = tls.connector.connect(tls.name.clone(), stream);
    let secured = timeout_at(deadline, shaking).await.map_err(|_elapsed| TlsError::TimedOut)??;
    Ok(Box::new(secured))
}

/// Given by name: a default for the whole process could be set by whoever comes first.
fn provider() -> Arc<CryptoProvider> {
    Arc::new(ring::default_provider())
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let pem = read(path)?;
    let found = CertificateDer::pem_slice_iter(&pem).take(CERTIFICATES_MAX + 1);
    let found: Vec<_> = found.collect::<Result<_, _>>().map_err(|error| wrong(path, error))?;
    match found.len() {
        0 => Err(wrong(path, "no certificate in it; expected PEM, `-----BEGIN CERTIFICATE-----`")),
        1..=CERTIFICATES_MAX => Ok(found),
        _ => Err(wrong(path, format_args!("more than {CERTIFICATES_MAX} certificates"))),
    }
}

fn private_key(path: &Path) -> Result<PrivateKeyDer<'static>, TlsError> {
    PrivateKeyDer::from_pem_slice(&read(path)?).map_err(|error| match error {
        pem::Error::NoItemsFound => {
            wrong(path, "no private key in it; expected PEM, `-----BEGIN PRIVATE KEY-----`")
        }
        error => wrong(path, error),
    })
}

fn read(path: &Path) -> Result<Vec<u8>, TlsError> {
    let unreadable = |error: io::Error| wrong(path, format_args!("cannot be read: {error}"));
    let bytes = std::fs::metadata(path).map_err(unreadable)?.len();
    if bytes > FILE_BYTES_MAX {
        return Err(wrong(path, format_args!("{bytes} bytes, a PEM file has at most {FILE_BYTES_MAX}")));
    }
    std::fs::read(path).map_err(unreadable)
}

fn wrong(path: &Path, why: impl std::fmt::Display) -> TlsError {
    TlsError::File { path: path.to_owned(), why: why.to_string() }
}
