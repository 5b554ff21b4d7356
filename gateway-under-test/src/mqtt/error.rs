//! Why the connection to the broker ended. Every end is typed.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use humantime::format_duration;
use mqtt_protocol_core::mqtt::result_code;
use thiserror::Error;

use crate::tls::TlsError;

/// Why a connection ended, or never came to be.
#[derive(Debug, Error)]
pub enum MqttError {
    /// The network has no way to the broker.
    #[error("cannot connect: {0}")]
    Connect(io::Error),
    /// No TLS with the broker.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// The password cannot be read.
    #[error("{}: no password: {why}", path.display())]
    Password {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// The broker was not there, or did not say CONNACK, in time.
    #[error("not taken in within {}: no CONNACK from the broker", format_duration(*.0))]
    ConnectTimeout(Duration),
    /// The broker does not take the gateway in.
    #[error("refused by the broker: {0}; check `username`, `password`, `client_id` and `version`")]
    Refused(String),
    /// The stream broke.
    #[error("connection lost: {0}")]
    Lost(#[from] io::Error),
    /// The broker closed the stream.
    #[error("closed by the broker{}", if *.mid_packet { ", in the middle of a packet" } else { "" })]
    Closed {
        /// Whether a packet had begun.
        mid_packet: bool,
    },
    /// The broker said why it ends the connection (only in version 5).
    #[error("ended by the broker: {0}")]
    Disconnected(String),
    /// What came is no MQTT packet.
    #[error("the broker sent what is no MQTT packet: {0}")]
    Malformed(result_code::MqttError),
    /// What came is longer than anything that is expected.
    #[error("the broker announced a packet of more than {max} bytes")]
    TooLarge {
        /// The most that is taken.
        max: u32,
    },
    /// A packet that may not come now.
    #[error("expected {expected}, found {found}")]
    Unexpected {
        /// What may come.
        expected: &'static str,
        /// What came.
        found: String,
    },
    /// Something is not to be made into a packet.
    #[error("cannot be sent: {0}")]
    Unsendable(result_code::MqttError),
    /// The broker did not confirm what it was sent.
    #[error("not acknowledged within {}", format_duration(*.0))]
    AckTimeout(Duration),
    /// The broker does not take in what it is sent.
    #[error("the broker took nothing in for {}", format_duration(*.0))]
    SendTimeout(Duration),
    /// The broker gave no sign of life.
    #[error("no sign of life within {} of asking for one", format_duration(*.0))]
    Silent(Duration),
}
