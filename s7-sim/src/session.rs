//! One session: reads, hands messages to the dialogue, writes answers when they are due, watches the clock. One task, no locks
//! across awaits; dropping it frees everything.

use std::future::poll_fn;
use std::io;
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::BytesMut;
use s7_wire::{Decoder, Message};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::time::{Instant, Sleep, sleep_until, timeout, timeout_at};

use crate::dialogue::{Dialogue, Next};
use crate::faults::Faults;
use crate::faults::delivery::{Delivery, Then};
use crate::faults::{self, Place, Struck};
use crate::outbox::Outbox;
use crate::plc::{Connected, Plc, SessionEnd};
use crate::recorder::Tape;
use crate::registry::{Ends, Live};
use crate::slots::Refused;
use crate::stats::add;

/// Taken in one read: a few pipelined jobs at once.
const READ_BYTES: usize = 2048;
/// Longest wait for a stream to end in order.
const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(1);

/// A stream and all that its session holds.
pub(crate) struct Session<'p, S> {
    plc: &'p Plc,
    stream: S,
    decoder: Decoder,
    dialogue: Dialogue,
    input: BytesMut,
    outbox: Outbox,
    /// Set by the faults that stop in mid-frame: nothing is answered any more.
    mute: bool,
    /// Set when the session is to end once everything in order is sent.
    ending: Option<Ending>,
    /// When the last whole packet came.
    active: Instant,
    live: Arc<Live>,
    tape: Option<Box<Tape>>,
    _registered: Registered<'p>,
    _connected: Connected,
}

/// A place in the list of sessions, given back when dropped.
struct Registered<'p> {
    plc: &'p Plc,
    id: u64,
}

impl Drop for Registered<'_> {
    fn drop(&mut self) {
        self.plc.registry().remove(self.id);
    }
}

/// What comes after the last answer.
enum Ending {
    End(SessionEnd),
    /// Nothing at all, not even an end.
    Vanish,
}

/// What a wait brought.
enum Event {
    Read(usize),
    Due,
    Timer,
}

impl<'p, S: AsyncRead + AsyncWrite + Unpin> Session<'p, S> {
    /// A session, unless too many are half made.
    pub(crate) fn admit(plc: &'p Plc, stream: S, ends: Option<Ends>) -> Result<Self, SessionEnd> {
        let id = plc.registry().count();
        let Some(connected) = plc.take_connection() else {
            let (why, by) = (Refused::HalfMade, crate::config::Refusal::Close);
            plc.counters().refuse(why);
            return Err(SessionEnd::Refused { why, by });
        };
        let live = plc.registry().add(id, ends.map(|ends| ends.client));
        Ok(Self {
            plc,
            stream,
            decoder: Decoder::new(),
            dialogue: Dialogue::new(),
            input: BytesMut::new(),
            outbox: Outbox::default(),
            mute: false,
            ending: None,
            active: live.since,
            tape: plc.recorder().map(|recorder| Box::new(recorder.tape(id, ends))),
            live,
            _registered: Registered { plc, id },
            _connected: connected,
        })
    }

    pub(crate) async fn run(mut self) -> SessionEnd {
        let live = self.live.clone();
        let end = tokio::select! {
            biased;
            end = self.converse() => end.unwrap_or_else(|end| end),
            () = live.end.notified() => SessionEnd::Ended,
        };
        self.count(&end);
        if let Some(tape) = &mut self.tape {
            tape.server_ends(end.asks_for_reset());
        }
        // Behind a client that has closed there is nobody to tell; dropping the stream does the rest.
        if !end.asks_for_reset() && !matches!(end, SessionEnd::Closed) {
            // The session is over whatever comes of this; a stream that cannot even end does not hold it.
            let _ = timeout(SHUTDOWN_TIMEOUT, self.stream.shutdown()).await;
        }
        end
    }

    fn count(&self, end: &SessionEnd) {
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
    }

    async fn converse(&mut self) -> Result<SessionEnd, SessionEnd> {
        let mut timer = std::pin::pin!(sleep_until(self.deadline().0));
        loop {
            self.answer_buffered();
            self.send().await?;
            if self.outbox.is_done()
                && let Some(ending) = self.ending.take()
            {
                return match ending {
                    Ending::End(end) => Ok(end),
                    Ending::Vanish => Err(self.vanish(timer).await),
                };
            }
            self.release_buffers();
            match self.wait(timer.as_mut()).await? {
                Event::Read(0) => return Ok(self.closed()),
                Event::Read(bytes) => self.received(bytes),
                Event::Due => self.outbox.release(Instant::now()),
                Event::Timer => self.check_deadline(timer.as_mut())?,
            }
        }
    }

    fn closed(&mut self) -> SessionEnd {
        if let Some(tape) = &mut self.tape {
            tape.client_closed();
        }
        SessionEnd::Closed
    }

    /// Counts and records the last `bytes` of the input.
    fn received(&mut self, bytes: usize) {
        add(&self.plc.counters().bytes_in, bytes);
        if let Some(tape) = &mut self.tape {
            tape.received(&self.input[self.input.len() - bytes..]);
        }
    }

    /// Answers whole messages in the buffer, as long as there is room for answers.
    fn answer_buffered(&mut self) {
        if self.input.is_empty() {
            return;
        }
        let before = self.input.len();
        let faults = self.plc.shared_faults();
        if self.mute || faults.silence {
            self.discard_buffered();
        } else {
            self.answer_messages(&faults);
        }
        // Half a packet is no sign of life: a client that drips bytes must not hold its slot for ever.
        if self.input.len() < before {
            self.active = Instant::now();
        }
    }

    fn answer_messages(&mut self, faults: &Faults) {
        while self.outbox.has_room() && self.ending.is_none() && !self.mute {
            match self.decoder.decode(&mut self.input) {
                Ok(Some(message)) => self.answer(faults, message),
                Ok(None) => break,
                // What was asked before the nonsense is answered first.
                Err(error) => self.ending = Some(Ending::End(error.into())),
            }
        }
        self.outbox.commit(faults.answer_delay);
    }

    fn answer(&mut self, faults: &Faults, message: Message) {
        self.count_request(&message);
        let mut struck = self.strike(faults, &message);
        let refuse = struck.iter().find_map(Struck::refusal).or(faults.refuse);
        if !struck.is_empty() || faults.stop_mid_frame {
            // What was answered before keeps its own way.
            self.outbox.commit(faults.answer_delay);
        }
        let next = self.dialogue.answer(self.plc, refuse, message, self.outbox.tail());
        if let Next::End(end) = next {
            self.ending = Some(Ending::End(end));
        }
        if !struck.is_empty() || (faults.stop_mid_frame && self.outbox.tail_bytes() > 0) {
            self.deliver(faults, &mut struck);
        }
    }

    /// Which rules strike the answer to this message.
    fn strike<'f>(&self, faults: &'f Faults, message: &Message) -> Vec<Struck<'f>> {
        if faults.rules.is_empty() {
            return Vec::new();
        }
        let requests = self.live.requests.load(Relaxed);
        let place = Place { seed: self.plc.config().seed, connection: self.live.id, request: requests };
        faults.rules.strike(message, place)
    }

    /// Sends the answer as the faults leave it.
    fn deliver(&mut self, faults: &Faults, struck: &mut [Struck<'_>]) {
        let mut delivery = Delivery::whole(self.outbox.take_tail());
        struck.iter_mut().for_each(|struck| struck.apply(&mut delivery));
        if faults.stop_mid_frame {
            faults::stop_mid_frame(&mut delivery);
        }
        let then = delivery.then;
        self.outbox.deliver(delivery, faults.answer_delay);
        if then != Then::GoOn {
            self.outbox.drop_late();
        }
        match then {
            Then::GoOn => {}
            Then::Mute => self.mute = true,
            Then::Vanish => self.ending = Some(Ending::Vanish),
            Then::Close => self.ending = Some(Ending::End(SessionEnd::ClosedOnPurpose)),
            Then::Reset => self.ending = Some(Ending::End(SessionEnd::Reset)),
        }
    }

    /// Takes whole messages and says nothing; frames stay in step, so that a session can go on after a silence.
    fn discard_buffered(&mut self) {
        loop {
            match self.decoder.decode(&mut self.input) {
                Ok(Some(message)) => {
                    self.count_request(&message);
                    if matches!(message, Message::Pdu(_)) {
                        add(&self.plc.counters().requests, 1);
                    }
                }
                Ok(None) => return,
                Err(_) => return self.input.clear(),
            }
        }
    }

    /// Counts a job for this session; the PLC's own count is the dialogue's.
    fn count_request(&self, message: &Message) {
        if matches!(message, Message::Pdu(_)) {
            add(&self.live.requests, 1);
        }
    }

    /// Sends what may go out, all of it in one write where the stream takes it.
    async fn send(&mut self) -> Result<(), SessionEnd> {
        if self.outbox.ready().is_empty() {
            return Ok(());
        }
        let after = self.plc.config().idle_timeout;
        // For all of it: a client that takes a byte now and then must not hold its slot for ever.
        let deadline = Instant::now() + after;
        loop {
            let bytes = self.outbox.ready();
            if bytes.is_empty() {
                return Ok(());
            }
            let written = timeout_at(deadline, write(&mut self.stream, bytes)).await;
            let written = written.map_err(|_| SessionEnd::IdleTimeout { after })??;
            if written == 0 {
                return Err(io::Error::from(io::ErrorKind::WriteZero).into());
            }
            if let Some(tape) = &mut self.tape {
                tape.sent(&bytes[..written]);
            }
            self.outbox.sent(written);
            add(&self.plc.counters().bytes_out, written);
        }
    }

    /// An idle session holds no buffers: there may be thousands of them.
    fn release_buffers(&mut self) {
        if self.input.is_empty() {
            self.input = BytesMut::new();
        }
        self.outbox.shrink();
    }

    async fn wait(&mut self, timer: Pin<&mut Sleep>) -> Result<Event, SessionEnd> {
        let room = self.outbox.has_room();
        let due = self.outbox.next_due();
        let (stream, input) = (&mut self.stream, &mut self.input);
        tokio::select! {
            biased;
            () = async { sleep_until(due.expect("guarded")).await }, if due.is_some() => Ok(Event::Due),
            // Before the read: a client that never pauses is no reason to forget the time.
            () = timer => Ok(Event::Timer),
            read = poll_fn(|context| poll_read(stream, input, context)), if room => Ok(Event::Read(read?)),
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
            (self.live.since + after, SessionEnd::HandshakeTimeout { after })
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

    /// Neither reads nor writes nor closes, until the idle policy frees the slot.
    async fn vanish(&self, mut timer: Pin<&mut Sleep>) -> SessionEnd {
        let after = self.plc.config().idle_timeout;
        timer.as_mut().reset(self.active + after);
        timer.await;
        SessionEnd::IdleTimeout { after }
    }
}

/// Writes what the stream takes at once, and lets none of it linger there: pieces are to arrive as pieces.
async fn write<S: AsyncWrite + Unpin>(stream: &mut S, bytes: &[u8]) -> io::Result<usize> {
    let written = stream.write(bytes).await?;
    stream.flush().await?;
    Ok(written)
}

/// Reads by way of the stack, so that a session that waits holds no room for what may come.
fn poll_read<S: AsyncRead + Unpin>(
    stream: &mut S,
    input: &mut BytesMut,
    context: &mut Context<'_>,
) -> Poll<io::Result<usize>> {
    let mut room = [MaybeUninit::uninit(); READ_BYTES];
    let mut read = ReadBuf::uninit(&mut room);
    ready!(Pin::new(stream).poll_read(context, &mut read))?;
    input.extend_from_slice(read.filled());
    Poll::Ready(Ok(read.filled().len()))
}
