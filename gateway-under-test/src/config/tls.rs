//! TLS: which files, which name.

use std::path::PathBuf;

use garde::Validate;
use serde::Deserialize;

use super::check;

/// What a side that listens needs for TLS. Both files are PEM and are read again on reload.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Validate)]
#[serde(deny_unknown_fields)]
#[garde(allow_unvalidated)]
pub struct TlsServer {
    /// The certificate, with those in between first to last.
    pub cert_file: PathBuf,
    /// Its private key.
    pub key_file: PathBuf,
}

/// What a side that connects needs for TLS. The file is PEM and is read again on reload.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Validate)]
#[serde(deny_unknown_fields)]
#[garde(allow_unvalidated)]
pub struct TlsClient {
    /// The authorities whose word is taken.
    pub ca_file: PathBuf,
    /// The name (or IP address) that the peer's certificate must have.
    #[garde(custom(check::server_name))]
    pub server_name: String,
}
