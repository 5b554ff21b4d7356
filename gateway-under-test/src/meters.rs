//! What the gateway counts about itself. Plain atomics: counting allocates nothing.

use std::sync::atomic::{AtomicU64, Ordering};

/// One count. Signed arithmetic is not needed: what goes down was up before.
#[derive(Debug, Default)]
pub struct Meter(AtomicU64);

impl Meter {
    /// Counts one more.
    pub fn up(&self) {
        self.add(1);
    }

    /// Counts `more`.
    pub fn add(&self, more: u64) {
        self.0.fetch_add(more, Ordering::Relaxed);
    }

    /// Counts one for as long as the returned guard lives.
    pub fn hold(&self) -> Held<'_> {
        self.up();
        Held(self)
    }

    /// Takes back one that was counted.
    pub fn down(&self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }

    /// The count.
    pub fn read(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// Counts one until it is dropped.
#[derive(Debug)]
pub struct Held<'a>(&'a Meter);

impl Drop for Held<'_> {
    fn drop(&mut self) {
        self.0.down();
    }
}

/// The counts of a gateway: first what is held now, then totals since the start.
#[derive(Debug, Default)]
pub struct Meters {
    /// Sessions that are connected and have polled every tag since they connected.
    pub sessions: Meter,
    /// Requests that wait for their answer.
    pub pending_requests: Meter,
    /// HTTP connections.
    pub http_connections: Meter,
    /// Connections to a Redis that has taken the gateway in.
    pub redis_connected: Meter,
    /// Connections to an MQTT broker that has taken the gateway in.
    pub mqtt_connected: Meter,
    /// MQTT packets that wait for the broker's acknowledgement.
    pub mqtt_unacked: Meter,

    /// Connects that got a PDU length granted.
    pub connects: Meter,
    /// Connects after the first, per station.
    pub reconnects: Meter,
    /// Attempts that ended before the handshake was through.
    pub connect_errors: Meter,
    /// Sessions that ended in an error after their handshake.
    pub session_errors: Meter,
    /// Polls that published every tag.
    pub polls: Meter,
    /// Polls that ended in an error, and the session with them.
    pub poll_errors: Meter,
    /// Ranges that a PLC answered with a code instead of data.
    pub bad_items: Meter,
    /// Signs of life asked for.
    pub heartbeats: Meter,
    /// Answers that belong to no pending request; each ends its session.
    pub unmatched_answers: Meter,
    /// Requests that were not answered in time.
    pub request_timeouts: Meter,
    /// HTTP connections accepted.
    pub http_accepted: Meter,
    /// Accepts that failed.
    pub http_accept_errors: Meter,
    /// HTTP requests.
    pub http_requests: Meter,
    /// HTTP connections that ended in an error: a deadline, a reset, a head that is none.
    pub http_errors: Meter,
    /// Events put into consumers' queues.
    pub events: Meter,
    /// Events lost to a full queue.
    pub events_dropped: Meter,
    /// Consumers disconnected because of a full queue.
    pub consumers_cut: Meter,
    /// Connections taken out of a pool.
    pub pool_hits: Meter,
    /// Connections opened because a pool had none to give.
    pub pool_misses: Meter,
    /// Writes asked for by northbound sides.
    pub commands: Meter,
    /// Those that were not confirmed, for whatever reason.
    pub commands_failed: Meter,
    /// Those whose caller went away before the outcome was known.
    pub commands_cancelled: Meter,
    /// Outcomes that came when nobody waited any more.
    pub late_acks: Meter,
    /// Messages that Redis has taken: events, results and refusals.
    pub redis_published: Meter,
    /// Messages that Redis answered with an error.
    pub redis_errors: Meter,
    /// Writes asked for over Redis that were refused: too many at once, or too late.
    pub redis_refused: Meter,
    /// Messages on the channel of commands that are none.
    pub redis_bad_messages: Meter,
    /// Log lines written.
    pub log_lines: Meter,
    /// Log lines lost to a full queue, or to a place that does not take them.
    pub log_lines_dropped: Meter,
    /// MQTT messages published: acknowledged, or sent if none acknowledges them.
    pub mqtt_published: Meter,
    /// Events for MQTT lost to a full queue, and messages lost with their connection.
    pub mqtt_dropped: Meter,
    /// New configurations taken.
    pub reloads: Meter,
    /// New configurations that were not taken.
    pub reload_errors: Meter,
    /// Thresholds that the guardian found passed.
    pub guardian_breaches: Meter,
    /// Lists of what is held that it wrote down.
    pub guardian_dumps: Meter,
    /// Times that it had memory given back.
    pub guardian_trims: Meter,
    /// Connections that it ended.
    pub guardian_evictions: Meter,
}

impl Meters {
    /// Name, help and count of what is held now.
    pub fn held(&self) -> [(&'static str, &'static str, u64); 6] {
        [
            ("sessions", "sessions that are connected and polled", self.sessions.read()),
            ("pending_requests", "requests that wait for an answer", self.pending_requests.read()),
            ("http_connections", "HTTP connections", self.http_connections.read()),
            ("redis_connected", "connections to Redis", self.redis_connected.read()),
            ("mqtt_connected", "connections to the MQTT broker", self.mqtt_connected.read()),
            ("mqtt_unacked", "MQTT packets that wait for their acknowledgement", self.mqtt_unacked.read()),
        ]
    }

    /// Name, help and count of every total.
    pub fn totals(&self) -> [(&'static str, &'static str, u64); 37] {
        [
            ("connects", "sessions set up", self.connects.read()),
            ("reconnects", "sessions set up after a station's first", self.reconnects.read()),
            ("connect_errors", "attempts that failed before or in the handshake", self.connect_errors.read()),
            ("session_errors", "sessions that ended in an error", self.session_errors.read()),
            ("polls", "polls that published every tag", self.polls.read()),
            ("poll_errors", "polls that ended in an error", self.poll_errors.read()),
            ("bad_items", "ranges answered with a code instead of data", self.bad_items.read()),
            ("heartbeats", "signs of life asked for", self.heartbeats.read()),
            ("unmatched_answers", "answers to no pending request", self.unmatched_answers.read()),
            ("request_timeouts", "requests not answered in time", self.request_timeouts.read()),
            ("http_accepted", "HTTP connections accepted", self.http_accepted.read()),
            ("http_accept_errors", "accepts that failed", self.http_accept_errors.read()),
            ("http_requests", "HTTP requests", self.http_requests.read()),
            ("http_errors", "HTTP connections that ended in an error", self.http_errors.read()),
            ("events", "events queued for consumers", self.events.read()),
            ("events_dropped", "events lost to a full queue", self.events_dropped.read()),
            ("pool_hits", "connections taken out of a pool", self.pool_hits.read()),
            ("pool_misses", "connections opened because a pool had none", self.pool_misses.read()),
            ("commands", "writes asked for by northbound sides", self.commands.read()),
            ("commands_failed", "writes that were not confirmed", self.commands_failed.read()),
            ("commands_cancelled", "writes whose caller went away", self.commands_cancelled.read()),
            ("late_acks", "outcomes of writes that nobody waited for any more", self.late_acks.read()),
            ("redis_published", "messages that Redis has taken", self.redis_published.read()),
            ("redis_errors", "messages that Redis answered with an error", self.redis_errors.read()),
            ("redis_refused", "writes over Redis refused for being too many", self.redis_refused.read()),
            ("redis_bad_messages", "messages that are no command", self.redis_bad_messages.read()),
            ("log_lines", "log lines written", self.log_lines.read()),
            ("log_lines_dropped", "log lines lost", self.log_lines_dropped.read()),
            ("mqtt_published", "MQTT messages published", self.mqtt_published.read()),
            ("mqtt_dropped", "events and messages lost on their way to MQTT", self.mqtt_dropped.read()),
            ("reloads", "new configurations taken", self.reloads.read()),
            ("reload_errors", "new configurations not taken", self.reload_errors.read()),
            ("guardian_breaches", "thresholds passed", self.guardian_breaches.read()),
            ("guardian_dumps", "lists of what is held written down", self.guardian_dumps.read()),
            ("guardian_trims", "times that memory was given back", self.guardian_trims.read()),
            ("guardian_evictions", "connections ended for what they held", self.guardian_evictions.read()),
            ("consumers_cut", "consumers disconnected for a full queue", self.consumers_cut.read()),
        ]
    }
}
