//! A key-value server over lines of text. It takes whatever listens, so that it plays over TCP and over a simulated network alike.
//!
//! `SET key value` is answered with `OK`, `GET key` with `VALUE value` or `NONE`, `PING` with `PONG`, and `WATCH key` with `WATCHING`:
//! from then on the session hears `CHANGED key value` of everybody. Values expire.

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::{Instant, interval, sleep, timeout, timeout_at};
use tokio_util::codec::{Framed, LinesCodec};
use tokio_util::net::Listener;

use crate::leak::{self, Leak};

/// The longest line that is read.
const LINE_BYTES_MAX: usize = 1024;

/// Keys that are kept at once; a new one beyond is refused.
const KEYS_MAX: usize = 10_000;

/// Changes that wait for a session that does not read; it is ended when there are more.
const OUTBOX: usize = 64;

/// How long nothing is accepted after an error, such as no descriptor left.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// How often values that have expired are dropped.
const SWEEP: Duration = Duration::from_secs(1);

/// How patient the server is, and what it does wrong on purpose.
#[derive(Debug, Clone, Copy)]
pub struct Settings {
    /// How long a value is kept.
    pub ttl: Duration,
    /// How long a session may say nothing, or not read what it is told.
    pub patience: Duration,
    /// The leak that is built in, for the example's sake.
    pub leak: Option<Leak>,
}

/// What all sessions share.
#[derive(Debug)]
pub struct Kv {
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    settings: Settings,
    values: BTreeMap<String, (String, Instant)>,
    /// By session: the key it watches, and where it hears of it.
    watchers: BTreeMap<u64, (String, mpsc::Sender<String>)>,
    sessions: usize,
    next_session: u64,
}

impl Kv {
    /// A server that holds nothing.
    pub fn new(settings: Settings) -> Arc<Self> {
        let (values, watchers) = (BTreeMap::new(), BTreeMap::new());
        let state = State { settings, values, watchers, sessions: 0, next_session: 0 };
        Arc::new(Self { state: Mutex::new(state) })
    }

    /// Takes over other settings; what is under way ends as it began.
    pub fn configure(&self, settings: Settings) {
        self.state().settings = settings;
    }

    /// Sessions at this moment.
    pub fn sessions(&self) -> usize {
        self.state().sessions
    }

    fn settings(&self) -> Settings {
        self.state().settings
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn expire(&self) {
        let now = Instant::now();
        self.state().values.retain(|_, (_, expires)| *expires > now);
    }

    fn set(&self, key: &str, value: &str) -> &'static str {
        let mut state = self.state();
        if state.values.len() >= KEYS_MAX && !state.values.contains_key(key) {
            return "FULL";
        }
        let expires = Instant::now() + state.settings.ttl;
        state.values.insert(key.to_owned(), (value.to_owned(), expires));
        // Whoever does not read loses its place, and then its session.
        let changed = format!("CHANGED {key} {value}");
        state.watchers.retain(|_, (watched, outbox)| watched != key || is_heard(outbox, &changed));
        "OK"
    }

    fn get(&self, key: &str) -> String {
        let now = Instant::now();
        let state = self.state();
        let value = state.values.get(key).filter(|(_, expires)| *expires > now);
        value.map_or_else(|| "NONE".to_owned(), |(value, _)| format!("VALUE {value}"))
    }
}

/// Whether whoever reads `outbox` keeps up; one that is gone is its session's to remove.
fn is_heard(outbox: &mpsc::Sender<String>, changed: &str) -> bool {
    !matches!(outbox.try_send(changed.to_owned()), Err(mpsc::error::TrySendError::Full(_)))
}

/// Serves whoever connects until `stop` resolves, and then ends every session.
pub async fn serve<L>(kv: Arc<Kv>, mut listener: L, stop: impl Future<Output = ()>)
where
    L: Listener<Io: Send + Unpin + 'static>,
{
    let (mut sessions, mut sweep, mut stop) = (JoinSet::new(), interval(SWEEP), pin!(stop));
    loop {
        tokio::select! {
            biased;
            () = &mut stop => break,
            Some(_ended) = sessions.join_next() => {}
            _ = sweep.tick() => kv.expire(),
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => drop(sessions.spawn(Session::begin(&kv).run(stream))),
                Err(_) => sleep(ACCEPT_PAUSE).await,
            },
        }
    }
    sessions.shutdown().await;
}

/// One connection. Dropping it takes it off the lists.
struct Session {
    kv: Arc<Kv>,
    id: u64,
}

impl Session {
    fn begin(kv: &Arc<Kv>) -> Self {
        let mut state = kv.state();
        state.sessions += 1;
        state.next_session += 1;
        Self { kv: Arc::clone(kv), id: state.next_session }
    }

    async fn run<S: AsyncRead + AsyncWrite + Unpin>(self, stream: S) {
        let mut lines = Framed::new(stream, LinesCodec::new_with_max_length(LINE_BYTES_MAX));
        let (outbox, mut changes) = mpsc::channel(OUTBOX);
        let (mut outbox, settings) = (Some(outbox), self.kv.settings());
        if settings.leak == Some(Leak::Heartbeat) {
            leak::heartbeat();
        }
        let patience = settings.patience;
        // What the session is told in between must not keep one alive that says nothing any more.
        let mut silent_until = Instant::now() + patience;
        loop {
            let said = tokio::select! {
                biased;
                changed = changes.recv() => match changed {
                    Some(changed) => changed,
                    // Its place was taken away: it did not read.
                    None => return,
                },
                line = timeout_at(silent_until, lines.next()) => match line {
                    Ok(Some(Ok(line))) => {
                        silent_until = Instant::now() + patience;
                        self.answer(&line, &mut outbox)
                    }
                    Ok(Some(Err(_)) | None) | Err(_) => return,
                },
            };
            if !matches!(timeout(patience, lines.send(said)).await, Ok(Ok(()))) {
                return;
            }
        }
    }

    fn answer(&self, line: &str, outbox: &mut Option<mpsc::Sender<String>>) -> String {
        let mut words = line.splitn(3, ' ');
        match (words.next(), words.next(), words.next()) {
            (Some("PING"), None, None) => "PONG".to_owned(),
            (Some("SET"), Some(key), Some(value)) => self.kv.set(key, value).to_owned(),
            (Some("GET"), Some(key), None) => self.kv.get(key),
            (Some("WATCH"), Some(key), None) => self.watch(key, outbox),
            _ => "ERROR".to_owned(),
        }
    }

    /// A session watches one key: its first.
    fn watch(&self, key: &str, outbox: &mut Option<mpsc::Sender<String>>) -> String {
        let Some(outbox) = outbox.take() else { return "ERROR".to_owned() };
        self.kv.state().watchers.insert(self.id, (key.to_owned(), outbox));
        "WATCHING".to_owned()
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        let mut state = self.kv.state();
        state.sessions -= 1;
        if state.settings.leak != Some(Leak::Watcher) {
            state.watchers.remove(&self.id);
        }
    }
}
