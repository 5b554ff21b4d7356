//! The way to the broker: what is needed before the first packet.

use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use tokio::time::Instant;

use super::MqttError;
use crate::config::{MqttConfig, Secret};
use crate::net::BoxStream;
use crate::shared::Shared;
use crate::tls::{self, ClientTls};

/// A longer file holds no password.
const PASSWORD_BYTES_MAX: u64 = 4096;

/// A stream to the broker.
pub async fn dial(shared: &Shared, config: &MqttConfig) -> Result<BoxStream, MqttError> {
    let deadline = Instant::now() + config.connect_timeout;
    let stream = shared.net.connect(&config.address).await.map_err(MqttError::Connect)?;
    match &config.tls {
        // In a box: the many connections without TLS need not have room for it.
        Some(tls) => Ok(Box::pin(tls::connect(stream, &ClientTls::load(tls)?, deadline)).await?),
        None => Ok(stream),
    }
}

/// The password, if there is one.
pub fn password(config: &MqttConfig) -> Result<Option<Secret>, MqttError> {
    match &config.password_file {
        None => Ok(config.password.clone()),
        Some(path) => read(path).map(Some).map_err(|why| MqttError::Password { path: path.clone(), why }),
    }
}

/// The first line of a file. It is short and local: no other task waits long.
fn read(path: &Path) -> Result<Secret, String> {
    let file = File::open(path).map_err(|error| error.to_string())?;
    let mut text = String::new();
    let mut file = file.take(PASSWORD_BYTES_MAX + 1);
    let length = file.read_to_string(&mut text).map_err(|error| error.to_string())?;
    if length as u64 > PASSWORD_BYTES_MAX {
        return Err(format!("more than {PASSWORD_BYTES_MAX} bytes"));
    }
    match text.lines().next() {
        Some(line) if !line.is_empty() => Ok(Secret::new(line)),
        _ => Err("the first line is empty".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> Result<Option<Secret>, String> {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("password");
        std::fs::write(&path, text).expect("a temporary file");
        let config = MqttConfig { password_file: Some(path), ..MqttConfig::new("broker:1883") };
        password(&config)
            .map_err(|error| error.to_string().rsplit(": ").next().unwrap_or_default().to_owned())
    }

    #[test]
    fn a_password_is_the_first_line_of_its_file() {
        assert_eq!(of("hunter2\n"), Ok(Some(Secret::new("hunter2"))));
        assert_eq!(of("\n"), Err("the first line is empty".to_owned()));
        assert_eq!(of(&"x".repeat(5000)), Err("more than 4096 bytes".to_owned()));
        let missing = MqttConfig { password_file: Some("/nowhere/at/all".into()), ..MqttConfig::new("b:1") };
        let message = password(&missing).expect_err("no such file").to_string();
        assert!(message.starts_with("/nowhere/at/all: no password: "), "{message}");
    }
}
