//! What the HTTP side reads from files: its token, its certificate. Read at the start and on every reload.

use thiserror::Error;

use crate::config::{HttpConfig, Secret, SecretError};
use crate::tls::{ServerTls, TlsError};

/// What opens the gate, and how connections are secured.
pub struct Credentials {
    /// The token, if there is one.
    pub token: Option<Secret>,
    /// TLS, if connections are to have it.
    pub tls: Option<ServerTls>,
}

/// Why the HTTP side has not what it needs.
#[derive(Debug, Error)]
pub enum CredentialError {
    /// The token cannot be had.
    #[error("http.token_file: {0}")]
    Token(#[from] SecretError),
    /// The certificate or its key cannot be had.
    #[error("http.tls: {0}")]
    Tls(#[from] TlsError),
}

impl Credentials {
    /// Reads what `http` names.
    pub fn load(http: &HttpConfig) -> Result<Self, CredentialError> {
        let token = match &http.token_file {
            Some(path) => Some(Secret::read(path)?),
            None => http.token.clone(),
        };
        let tls = http.tls.as_ref().map(ServerTls::load).transpose()?;
        Ok(Self { token, tls })
    }
}
