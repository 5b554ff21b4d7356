//! What the gateway says first: who it is, and what it wants.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;

use ::redis::{Cmd, cmd};

use super::error::SessionError;
use super::session::Asked;
use crate::config::RedisConfig;

/// A file longer than this holds no password.
const PASSWORD_BYTES_MAX: u64 = 4 * 1024;

/// The first commands of a session, all sent at once; each must be granted.
pub fn commands(config: &RedisConfig) -> Result<Vec<(Asked, Cmd)>, SessionError> {
    let mut commands = vec![(Asked::Hello, hello(config)?)];
    if config.database > 0 {
        let mut select = cmd("SELECT");
        select.arg(config.database);
        commands.push((Asked::Select, select));
    }
    if config.commands {
        let mut subscribe = cmd("SUBSCRIBE");
        subscribe.arg(format!("{}:commands", config.prefix));
        commands.push((Asked::Subscribe, subscribe));
    }
    Ok(commands)
}

fn hello(config: &RedisConfig) -> Result<Cmd, SessionError> {
    let mut hello = cmd("HELLO");
    hello.arg(3);
    if let Some(password) = password(config)? {
        hello.arg("AUTH").arg(config.username.as_deref().unwrap_or("default")).arg(password);
    }
    Ok(hello)
}

fn password(config: &RedisConfig) -> Result<Option<String>, SessionError> {
    if let Some(path) = &config.password_file {
        let unreadable = |source| SessionError::PasswordFile { path: path.clone(), source };
        return first_line(path).map(Some).map_err(unreadable);
    }
    Ok(config.password.as_ref().map(|password| password.expose().to_owned()))
}

/// A short local file, read in place: it takes no longer than a page fault.
fn first_line(path: &Path) -> io::Result<String> {
    let mut text = String::new();
    File::open(path)?.take(PASSWORD_BYTES_MAX).read_to_string(&mut text)?;
    Ok(text.lines().next().unwrap_or_default().to_owned())
}
