//! Answers, timeouts, cancellations and the end of the session race for the same requests.

use std::sync::{Arc, Mutex};
use std::task::Poll;

use loom::future::block_on;

use super::Model;
use super::explore::Preemptions;
use super::threads::{poll_once, race};
use crate::pending::{Counts, Full, Limits, Lost, PendingTable, Replied, Ticket};

pub(super) const MODELS: &[Model] = &[
    Model { name: "pending::of_answer_and_timeout_one_wins", preemptions: Preemptions::ANY, body: one_wins },
    Model {
        name: "pending::an_answer_wakes_its_request",
        preemptions: Preemptions { quick: Some(3), long: Some(5) },
        body: answer_wakes,
    },
    Model { name: "pending::an_answer_wakes_one", preemptions: Preemptions::ANY, body: answer_wakes_one },
    Model {
        name: "pending::a_late_answer_reaches_no_other_request",
        preemptions: Preemptions::ANY,
        body: late_answer,
    },
    Model {
        name: "pending::the_end_of_the_session_wakes_all",
        preemptions: Preemptions::quickly(3),
        body: session_ends,
    },
    Model { name: "pending::the_table_keeps_its_limits", preemptions: Preemptions::ANY, body: limits },
    Model { name: "pending::abandoned_work_is_skipped_once", preemptions: Preemptions::ANY, body: skipped },
];

const LIMITS: Limits = Limits { waiting: 2, keys: 4 };
const NOTHING: Counts = Counts { waiting: 0, answered: 0, quarantined: 0 };

fn table() -> PendingTable<&'static str> {
    PendingTable::new(LIMITS, 5)
}

fn register(table: &PendingTable<&'static str>) -> Ticket<&'static str> {
    table.register().expect("there is room")
}

fn one_wins() {
    let table = table();
    let (timed, cancelled) = (register(&table), register(&table));
    let (timed_key, cancelled_key) = (timed.key(), cancelled.key());
    let ended: Arc<Mutex<Option<Result<&str, Lost>>>> = Arc::default();
    let outcome = Arc::clone(&ended);
    let timeout = Box::new(move || *outcome.lock().expect("no panic under this lock") = Some(timed.expire()));
    let mut replied = None;
    race([timeout, Box::new(move || drop(cancelled))], || {
        replied = Some(table.reply(timed_key, "timed"));
        assert_ne!(table.reply(cancelled_key, "cancelled"), Replied::Unknown("cancelled"));
    });
    let ended = ended.lock().expect("no panic under this lock").take();
    let of_one = [
        (Some(Replied::Delivered), Some(Ok("timed"))),
        (Some(Replied::Late("timed")), Some(Err(Lost::Expired))),
    ];
    assert!(of_one.contains(&(replied.clone(), ended)), "two winners or none: {replied:?}, {ended:?}");
    assert_eq!(table.counts(), NOTHING);
    assert_eq!(table.reply(timed_key, "again"), Replied::Unknown("again"));
}

fn answer_wakes() {
    let table = table();
    let (mut first, second) = (register(&table), register(&table));
    let (first_key, second_key) = (first.key(), second.key());
    let waiter = Box::new(move || {
        // Looks in before it waits, as another task would: the waker of the last look counts.
        let answer = match poll_once(&mut first) {
            Poll::Ready(answer) => answer,
            Poll::Pending => block_on(first),
        };
        assert_eq!(answer, Ok("first"));
    });
    let other = Box::new(move || assert_eq!(block_on(second), Ok("second")));
    race([waiter, other], || {
        assert_eq!(table.reply(second_key, "second"), Replied::Delivered);
        assert_eq!(table.reply(first_key, "first"), Replied::Delivered);
    });
    assert_eq!(table.counts(), NOTHING);
}

fn answer_wakes_one() {
    let table = table();
    let ticket = register(&table);
    let key = ticket.key();
    let waiter = Box::new(move || assert_eq!(block_on(ticket), Ok("answer")));
    race([waiter], || assert_eq!(table.reply(key, "answer"), Replied::Delivered));
    assert_eq!(table.counts(), NOTHING);
}

fn late_answer() {
    let table = table();
    let given_up = register(&table);
    let key = given_up.key();
    let other = table.clone();
    let next = Box::new(move || {
        other.set_next_key(key);
        let ticket = register(&other);
        // It may have the same key, if the late answer came before.
        assert_eq!(ticket.expire(), Err(Lost::Expired), "an answer to another request");
    });
    race([Box::new(move || drop(given_up)), next], || {
        assert_ne!(table.reply(key, "old"), Replied::Unknown("old"));
    });
    let Counts { waiting, answered, quarantined } = table.counts();
    assert_eq!((waiting, answered, quarantined), (0, 0, 1), "the key of the second request");
}

fn session_ends() {
    let table = table();
    let (first, second) = (register(&table), register(&table));
    let key = first.key();
    let waiter = Box::new(move || assert_ne!(block_on(first), Err(Lost::Expired)));
    let answering = table.clone();
    let other = Box::new(move || {
        drop(answering.reply(key, "answer"));
        drop(second);
    });
    race([waiter, other], || table.forget_all());
    assert_eq!(table.counts(), NOTHING);
}

fn limits() {
    let table = PendingTable::<&str>::new(Limits { waiting: 1, keys: 2 }, 5);
    let registering = || {
        let table = table.clone();
        Box::new(move || drop(table.register())) as Box<dyn FnOnce()>
    };
    race([registering(), registering()], || {
        let counts = table.counts();
        assert!(counts.waiting <= 1 && counts.waiting + counts.quarantined <= 2, "{counts:?}");
    });
    let Counts { waiting, quarantined, .. } = table.counts();
    assert_eq!(waiting, 0);
    let full = Full::Quarantine { quarantined: 2 };
    assert_eq!(table.register().err(), (quarantined == 2).then_some(full));
}

fn skipped() {
    let table = table();
    let ticket = register(&table);
    let (key, executing) = (ticket.key(), table.clone());
    let executor = Box::new(move || {
        if executing.is_waiting(key) || !executing.skip_abandoned(key) {
            drop(executing.reply(key, "done"));
        }
    });
    race([executor], || drop(ticket));
    assert_eq!(table.counts(), NOTHING, "the key is answered or skipped");
}
