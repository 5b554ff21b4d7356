//! `s7-sim replay`: a recording against a server, and the first difference.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use thiserror::Error;

use crate::pcap::{self, PcapError};
use crate::recorder::S7_PORT;
use crate::replay::conversation::{Conversation, ConversationError, conversations};
use crate::replay::{Replay, ReplayError};

/// Longest recording that is read: all of it is held in memory.
const FILE_BYTES_MAX: u64 = 1024 * 1024 * 1024;

/// What to replay, and how.
#[derive(Debug, Args)]
pub(super) struct ReplayArgs {
    /// A recording: classic pcap, Ethernet or raw IP
    file: PathBuf,
    /// The server that is to answer
    #[arg(long, value_name = "ADDR")]
    to: SocketAddr,
    /// Compare values as well, not only references, codes and lengths
    #[arg(long)]
    values: bool,
    /// The server's port in the recording
    #[arg(long, value_name = "PORT", default_value_t = S7_PORT)]
    port: u16,
    /// Longest wait for an answer
    #[arg(long, value_name = "TIME", default_value = "5s", value_parser = humantime::parse_duration)]
    within: Duration,
}

/// Why a replay ended before its end.
#[derive(Debug, Error)]
pub(super) enum ReplayCliError {
    #[error("cannot read {}: {error}", path.display())]
    File { path: PathBuf, error: io::Error },
    #[error("{} has {found} bytes, at most {FILE_BYTES_MAX} are read: cut it with `editcap`", path.display())]
    TooLarge { path: PathBuf, found: u64 },
    #[error("{}: {error}", path.display())]
    Pcap { path: PathBuf, error: PcapError },
    #[error("{}: {error}", path.display())]
    Conversation { path: PathBuf, error: ConversationError },
    #[error("cannot start the runtime: {0}")]
    Runtime(io::Error),
    #[error("conversation {number} ({client} to {server}): {error}")]
    Replay { number: usize, client: SocketAddr, server: SocketAddr, error: ReplayError },
}

impl ReplayCliError {
    /// Whether the file is to blame, and not the server.
    pub(super) fn is_usage(&self) -> bool {
        match self {
            Self::File { .. } | Self::TooLarge { .. } | Self::Pcap { .. } | Self::Conversation { .. } => true,
            Self::Replay { error, .. } => matches!(error, ReplayError::Recording { .. }),
            Self::Runtime(_) => false,
        }
    }
}

/// Replays the file and says on stdout what was compared.
pub(super) fn run(args: &ReplayArgs) -> Result<(), ReplayCliError> {
    let found = read(args)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let answers = runtime.map_err(ReplayCliError::Runtime)?.block_on(replay(args, &found))?;
    anstream::println!("no difference: conversations {}, answers {answers}", found.len());
    Ok(())
}

fn read(args: &ReplayArgs) -> Result<Vec<Conversation>, ReplayCliError> {
    let path = || args.file.clone();
    let unreadable = |error| ReplayCliError::File { path: path(), error };
    let bytes = std::fs::metadata(&args.file).map_err(unreadable)?.len();
    if bytes > FILE_BYTES_MAX {
        return Err(ReplayCliError::TooLarge { path: path(), found: bytes });
    }
    let file = std::fs::read(&args.file).map_err(unreadable)?;
    let capture = pcap::read(&file).map_err(|error| ReplayCliError::Pcap { path: path(), error })?;
    if capture.cut {
        anstream::eprintln!(
            "s7-sim: {} ends within a packet: what is whole is replayed",
            args.file.display()
        );
    }
    conversations(&capture, args.port).map_err(|error| ReplayCliError::Conversation { path: path(), error })
}

/// One conversation after the other: how many answers were compared in all.
async fn replay(args: &ReplayArgs, found: &[Conversation]) -> Result<usize, ReplayCliError> {
    let replay = Replay { values: args.values, within: args.within };
    let mut answers = 0;
    for (number, conversation) in (1..).zip(found) {
        let played = replay.connect(conversation, args.to).await;
        let Conversation { client, server, .. } = *conversation;
        answers += played.map_err(|error| ReplayCliError::Replay { number, client, server, error })?;
    }
    Ok(answers)
}
