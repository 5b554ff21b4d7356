//! Actions: what is done to an answer. Each is a small decision in a file of its kind; this is the list of them.

use serde::{Deserialize, Serialize};

use super::corrupt::Corrupt;
use super::cut::{self, Bytewise, Fragment};
use super::delivery::{Delivery, Then};
use super::short::Short;
use super::timing::{self, Delay, Repeat};
use super::{Struck, forge};
use crate::config::Refusal;

/// What is done to an answer. In JSON: the name alone, or `{"name": what it takes}`.
///
/// Forging works on whole answers: where rules add up, put it before what cuts.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Action {
    /// Comes later; later answers wait for it, as they do for a slow CPU.
    Delay(Delay),
    /// Comes later; other answers overtake it.
    Late(Delay),
    /// Comes right after the next answer: the two are swapped. Without a next one it never comes.
    Swap,
    /// Comes twice.
    Duplicate(Repeat),
    /// Never comes; the session goes on.
    Silence,
    /// Comes in half, and then nothing ever; the session stays open and is read.
    StopMidFrame,
    /// Never comes, and nothing is read or closed any more: a PLC that lost its power. The session holds its slot until the idle
    /// timeout, or until it is dropped.
    HalfOpen,
    /// Has a PDU reference that is this much too high.
    WrongReference(u16),
    /// Has this function byte.
    WrongFunction(u8),
    /// Says that it has this many items.
    WrongItemCount(u8),
    /// Has less data than was asked for.
    ShortAnswer(Short),
    /// Has bytes that are not what they were.
    Corrupt(Corrupt),
    /// Comes in COTP fragments.
    Fragment(Fragment),
    /// Comes byte by byte, each in a write of its own.
    ByteByByte(Bytewise),
    /// The session ends in order.
    Close(Ending),
    /// The session ends by a reset: [`SessionEnd::Reset`](crate::SessionEnd::Reset) in the library, an RST over TCP.
    Reset(Ending),
    /// The CR is refused, as if no slot were free. Of use with `"function": "connect"` alone.
    Refuse(Refusal),
}

/// How a session ends by a rule.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Ending {
    /// Whether the answer is sent before.
    pub answered: bool,
}

impl Struck<'_> {
    /// Does to the answer what the rule says.
    pub(crate) fn apply(&mut self, delivery: &mut Delivery) {
        match self.action {
            Action::Delay(delay) => delay.apply(delivery, &mut self.rng),
            Action::Late(delay) => timing::late(delay, delivery, &mut self.rng),
            Action::Swap => timing::swap(delivery),
            Action::Duplicate(repeat) => repeat.apply(delivery),
            Action::Silence => delivery.empty(),
            Action::StopMidFrame => cut::stop_mid_frame(delivery),
            Action::HalfOpen => end(delivery, Ending::default(), Then::Vanish),
            Action::WrongReference(by) => forge::reference(delivery, *by),
            Action::WrongFunction(function) => forge::function(delivery, *function),
            Action::WrongItemCount(count) => forge::item_count(delivery, *count),
            Action::ShortAnswer(short) => short.apply(delivery),
            Action::Corrupt(corrupt) => corrupt.apply(delivery, &mut self.rng),
            Action::Fragment(fragment) => fragment.apply(delivery),
            Action::ByteByByte(bytewise) => bytewise.apply(delivery),
            Action::Close(ending) => end(delivery, *ending, Then::Close),
            Action::Reset(ending) => end(delivery, *ending, Then::Reset),
            // Decided before there is an answer.
            Action::Refuse(_) => {}
        }
    }

    /// How a CR is refused, if that is what the rule does.
    pub(crate) fn refusal(&self) -> Option<Refusal> {
        match self.action {
            Action::Refuse(refusal) => Some(*refusal),
            _ => None,
        }
    }
}

fn end(delivery: &mut Delivery, ending: Ending, then: Then) {
    if !ending.answered {
        delivery.empty();
    }
    delivery.then = then;
}

#[cfg(test)]
mod tests {
    use super::super::delivery::Turn;
    use super::*;
    use bytes::BytesMut;

    /// What `json` makes of the answer `abcd`.
    fn act(json: &str) -> Delivery {
        let action = serde_json::from_str(json).unwrap();
        let mut delivery = Delivery::whole(BytesMut::from(&b"abcd"[..]));
        Struck { action: &action, rng: fastrand::Rng::with_seed(1) }.apply(&mut delivery);
        delivery
    }

    #[test]
    fn endings_send_the_answer_only_if_told() {
        for (name, then) in [("close", Then::Close), ("reset", Then::Reset)] {
            let ended = act(&format!(r#"{{"{name}": {{}}}}"#));
            assert_eq!((ended.bytes(), ended.then), (0, then));
            let answered = act(&format!(r#"{{"{name}": {{"answered": true}}}}"#));
            assert_eq!((answered.bytes(), answered.then), (4, then));
        }
    }

    #[test]
    fn actions_without_a_word_of_their_own_are_names() {
        assert_eq!((act(r#""silence""#).bytes(), act(r#""silence""#).then), (0, Then::GoOn));
        assert_eq!((act(r#""half_open""#).bytes(), act(r#""half_open""#).then), (0, Then::Vanish));
        assert_eq!((act(r#""stop_mid_frame""#).bytes(), act(r#""stop_mid_frame""#).then), (2, Then::Mute));
        assert_eq!(act(r#""swap""#).chunks[0].turn, Turn::AfterNext);
    }

    #[test]
    fn an_unknown_action_is_refused_with_the_names_there_are() {
        let error = serde_json::from_str::<Action>(r#""explode""#).unwrap_err().to_string();
        assert!(error.contains("unknown variant `explode`, expected one of `delay`, `late`"), "{error}");
    }
}
