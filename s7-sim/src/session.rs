//! One session: reads, hands messages to the dialogue, writes answers when they are due, watches the clock. One task, no locks
//! across awaits; dropping it frees everything.

use std::collections::VecDeque;
use std::pin::Pin;
use std::time::Duration;

use bytes::{Buf, BytesMut};
use s7_wire::{Decoder, Message};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::time::{Instant, Sleep, sleep_until, timeout};

use crate::dialogue::{Dialogue, Next};
use crate::faults::Faults;
use crate::plc::{Connected, Plc, SessionEnd};
use crate::stats::add;

/// Room made for one read: a few pipelined jobs at once, and little enough for thousands of idle sessions.
const READ_BYTES: usize = 2048;
/// Answers that may wait unsent, in bytes; a client that pipelines more is not read until some are gone.
const UNSENT_BYTES_MAX: usize = 16 * 1024;
/// Answers that may wait for their time.
const DUE_MAX: usize = 256;
/// Longest wait for a stream to end in order.
const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(1);

/// A stream and all that its session holds.
pub(crate) struct Session<'p, S> {
    plc: &'p Plc,
    stream: S,
    decoder: Decoder,
    dialogue: Dialogue,
    input: BytesMut,
    /// Answers, in order; the first `sendable` bytes may go out.
    out: BytesMut,
    sendable: usize,
    /// When how many more bytes of `out` may go out.
    due: VecDeque<(Instant, usize)>,
    /// Set by the fault that stops in mid-frame: nothing is answered any more.
    stopped: bool,
    /// Set when the session is to end once `out` is sent.
    ending: Option<SessionEnd>,
    started: Instant,
    active: Instant,
    _connected: Connected,
}

/// What a wait brought.
enum Event {
    Read(usize),
    Due,
    Timer,
}

impl<'p, S: AsyncRead + AsyncWrite + Unpin> Session<'p, S> {
    /// A session, unless too many are half made.
    pub(crate) fn admit(plc: &'p Plc, stream: S) -> Option<Self> {
        let Some(connected) = plc.take_connection() else {
            add(&plc.counters().refused, 1);
            return None;
        };
        let now = Instant::now();
        Some(Self {
            plc,
            stream,
            decoder: Decoder::new(),
            dialogue: Dialogue::new(),
            input: BytesMut::new(),
            out: BytesMut::new(),
            sendable: 0,
            due: VecDeque::new(),
            stopped: false,
            ending: None,
            started: now,
            active: now,
            _connected: connected,
        })
    }

    pub(crate) async fn run(mut self) -> SessionEnd {
        let end = match self.converse().await {
            Ok(end) | Err(end) => end,
        };
        let counters = self.plc.counters();
        match end {
            SessionEnd::HandshakeTimeout { .. } | SessionEnd::IdleTimeout { .. } => {
                add(&counters.timeouts, 1)
            }
            SessionEnd::Decode(_)
            | SessionEnd::Job(_)
            | SessionEnd::Userdata(_)
            | SessionEnd::OutOfOrder { .. } => {
                add(&counters.protocol_errors, 1);
            }
            _ => {}
        }
        // The session is over whatever comes of this; a stream that cannot even end does not hold it.
        let _ = timeout(SHUTDOWN_TIMEOUT, self.stream.shutdown()).await;
        end
    }

    async fn converse(&mut self) -> Result<SessionEnd, SessionEnd> {
        let mut timer = std::pin::pin!(sleep_until(self.deadline().0));
        loop {
            self.answer_buffered();
            self.send().await?;
            if self.due.is_empty()
                && let Some(end) = self.ending.take()
            {
                return Ok(end);
            }
            match self.wait(timer.as_mut()).await? {
                Event::Read(0) => return Ok(SessionEnd::Closed),
                Event::Read(bytes) => {
                    add(&self.plc.counters().bytes_in, bytes);
                    self.active = Instant::now();
                }
                Event::Due => self.release_due(),
                Event::Timer => self.check_deadline(timer.as_mut())?,
            }
        }
    }

    /// Answers whole messages in the buffer, as long as there is room for answers.
    fn answer_buffered(&mut self) {
        if self.input.is_empty() {
            return;
        }
        let faults = self.plc.faults();
        if self.stopped || faults.silence {
            self.discard_buffered();
            return;
        }
        let before = self.out.len();
        while self.has_room() && !self.stopped {
            let start = self.out.len();
            match self.decoder.decode(&mut self.input) {
                Ok(Some(message)) => {
                    if let Next::End(end) = self.dialogue.answer(self.plc, &faults, message, &mut self.out) {
                        self.ending = Some(end);
                    }
                }
                Ok(None) => break,
                // What was asked before the nonsense is answered first.
                Err(error) => self.ending = Some(error.into()),
            }
            self.stop_in_mid_frame(&faults, start);
        }
        self.schedule(&faults, self.out.len() - before);
    }

    /// Takes whole messages and says nothing; frames stay in step, so that a session can go on after a silence.
    fn discard_buffered(&mut self) {
        loop {
            match self.decoder.decode(&mut self.input) {
                Ok(Some(Message::Pdu(_))) => add(&self.plc.counters().requests, 1),
                Ok(Some(_)) => {}
                Ok(None) => return,
                Err(_) => return self.input.clear(),
            }
        }
    }

    fn has_room(&self) -> bool {
        self.out.len() < UNSENT_BYTES_MAX && self.due.len() < DUE_MAX && self.ending.is_none()
    }

    fn stop_in_mid_frame(&mut self, faults: &Faults, start: usize) {
        let answer = self.out.len() - start;
        if faults.stop_mid_frame && answer > 0 {
            self.out.truncate(start + answer / 2);
            self.stopped = true;
        }
    }

    /// Lets `bytes` of new answers go out now, or after the delay.
    fn schedule(&mut self, faults: &Faults, bytes: usize) {
        if bytes == 0 {
            return;
        }
        if faults.answer_delay.is_zero() && self.due.is_empty() {
            self.sendable += bytes;
        } else {
            // Answers keep their order, also when the delay was shortened meanwhile.
            let at = Instant::now() + faults.answer_delay;
            let last = self.due.back().map_or(at, |&(last, _)| last);
            self.due.push_back((at.max(last), bytes));
        }
    }

    fn release_due(&mut self) {
        let now = Instant::now();
        while let Some(&(at, bytes)) = self.due.front()
            && at <= now
        {
            self.sendable += bytes;
            self.due.pop_front();
        }
    }

    /// Sends what may go out, all of it in one write where the stream takes it.
    async fn send(&mut self) -> Result<(), SessionEnd> {
        let after = self.plc.config().idle_timeout;
        while self.sendable > 0 {
            let written = timeout(after, self.stream.write(&self.out[..self.sendable])).await;
            let written = written.map_err(|_| SessionEnd::IdleTimeout { after })??;
            if written == 0 {
                return Err(std::io::Error::from(std::io::ErrorKind::WriteZero).into());
            }
            self.out.advance(written);
            self.sendable -= written;
            add(&self.plc.counters().bytes_out, written);
        }
        if self.out.is_empty() {
            // Back to the front of the allocation, which `advance` alone would leave behind.
            self.out.clear();
        }
        Ok(())
    }

    async fn wait(&mut self, timer: Pin<&mut Sleep>) -> Result<Event, SessionEnd> {
        let room = self.has_room();
        if room && self.input.capacity() - self.input.len() < READ_BYTES / 4 {
            self.input.reserve(READ_BYTES);
        }
        let due = self.due.front().map(|&(at, _)| at);
        tokio::select! {
            biased;
            () = async { sleep_until(due.expect("guarded")).await }, if due.is_some() => Ok(Event::Due),
            // Before the read: a client that never pauses is no reason to forget the time.
            () = timer => Ok(Event::Timer),
            read = self.stream.read_buf(&mut self.input), if room => Ok(Event::Read(read?)),
        }
    }

    /// When this session has been still for too long, and what it is then.
    fn deadline(&self) -> (Instant, SessionEnd) {
        let config = self.plc.config();
        if self.dialogue.is_ready() {
            let after = config.idle_timeout;
            (self.active + after, SessionEnd::IdleTimeout { after })
        } else {
            let after = config.handshake_timeout;
            (self.started + after, SessionEnd::HandshakeTimeout { after })
        }
    }

    /// Ends the session if its time is over. The timer is not moved with each message, which would cost more than the message:
    /// it fires early and is moved then.
    fn check_deadline(&mut self, timer: Pin<&mut Sleep>) -> Result<(), SessionEnd> {
        let now = Instant::now();
        let (deadline, end) = self.deadline();
        if now < deadline {
            timer.reset(deadline);
            return Ok(());
        }
        if self.plc.faults().silence {
            // A CPU that hangs does not close connections either; look again after as long once more.
            self.active = now;
            timer.reset(now + self.plc.config().idle_timeout);
            return Ok(());
        }
        Err(end)
    }
}
