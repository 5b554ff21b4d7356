//! Does the disturbance disturb? Faults that take hold of nothing, or for too short a time.

use std::time::Duration;

use super::{Look, Placed, Remark};
use crate::chaos::Fault;
use crate::chaos::effect::{Proof, proof};
use crate::chaos::toxics::flap::Flap;
use crate::scenario::template;
use crate::seed::Seed;
use crate::units::Time;
use crate::world::{Seat, World};

/// Cycles whose draws are looked at: a flap that stays up in all of these goes down in none.
const CYCLES_LOOKED_AT: usize = 16;

pub(super) fn remarks<W: World>(look: Look<'_, W>) -> Vec<Remark> {
    let faults = look.faults();
    let each = |placed: &Placed<'_>| {
        let rules = [never(placed), unused(look, placed), flapping(look, placed), short(look, placed)];
        // What takes hold of nothing needs no second word.
        rules.into_iter().flatten().next()
    };
    faults.iter().filter_map(each).collect()
}

fn never(placed: &Placed<'_>) -> Option<Remark> {
    const NAME: &str = "fault-that-never-strikes";
    let name = placed.fault.name();
    let common = placed.fault.on_link()?.common();
    if common.p == 0.0 {
        let help = "write the part of the connections that it shall hold, such as `p: 20%`, or leave `p` out for all";
        return Some(Remark::new(
            NAME,
            placed.at("p"),
            format!("`{name}` takes hold of no connection at all"),
            help,
        ));
    }
    match placed.fault {
        Fault::Latency(latency)
            if latency.delay.0.is_zero() && latency.jitter.is_none_or(|jitter| jitter.0.is_zero()) =>
        {
            Some(Remark::new(
                NAME,
                placed.at("delay"),
                "`latency` of no time delays nothing",
                "write `delay: 50ms`",
            ))
        }
        _ => None,
    }
}

/// A program is told where its servers are by `{peers.NAME}`; without it nothing goes over that link.
fn unused<W: World>(look: Look<'_, W>, placed: &Placed<'_>) -> Option<Remark> {
    let link = placed.fault.link()?;
    let peer = look.scenario.world.get(link)?;
    let target = &look.scenario.target;
    if !look.is_foreign() || look.world.seat(peer) != Seat::Server {
        return None;
    }
    let is_named = target
        .texts()
        .flat_map(template::names)
        .any(|name| name.strip_prefix("peers.").and_then(|rest| rest.split('.').next()) == Some(link));
    let message = format!("nothing goes over the link `{link}`: the target is not told where that peer is");
    let help = format!("write `{{peers.{link}}}` into its `command` or `env`");
    (!is_named).then(|| Remark::new("link-that-nobody-uses", placed.at("link"), message, help))
}

/// How long a fault on a link lasts at most.
fn window(placed: &Placed<'_>) -> Option<Duration> {
    let common = placed.fault.on_link()?.common();
    let rest = placed.phase.saturating_sub(common.at);
    Some(common.lasts.map_or(rest, |lasts| lasts.min(rest)))
}

fn flapping<W: World>(look: Look<'_, W>, placed: &Placed<'_>) -> Option<Remark> {
    let Fault::Flap(flap) = placed.fault else { return None };
    let window = window(placed)?;
    let seed = Seed(look.scenario.seed);
    let spells = |cycle| flap.spells(window, placed.fault.id(0, seed.stream("", cycle as u64)).dice);
    let all: Vec<_> = (0..CYCLES_LOOKED_AT).map(spells).collect();
    let lasts = Time(window);
    if all.iter().all(Vec::is_empty) {
        let message =
            format!("the link is up for {} first, and the fault lasts {lasts}: it never goes down", flap.up);
        let help = format!("write a shorter `up`, such as `{}`", shorter(flap.up.0.min(window)));
        return Some(Remark::new("flap-that-never-goes-down", placed.at("up"), message, help));
    }
    let stays_down = |spells: &Vec<(Duration, Duration)>| {
        matches!(spells.as_slice(), [] | [(_, _)]) && spells.last().is_none_or(|(_, to)| *to == window)
    };
    if all.iter().all(stays_down) {
        return Some(never_back(flap, placed, window));
    }
    None
}

fn never_back(flap: &Flap, placed: &Placed<'_>, window: Duration) -> Remark {
    let message = format!(
        "down for {} after {} up is past the end ({}): the link goes down once and comes back only with it",
        flap.down,
        flap.up,
        Time(window)
    );
    let help = format!(
        "write `up` and `down` that fit several times, such as `up: {0}, down: {0}`",
        shorter(window)
    );
    Remark::new("flap-that-never-comes-back", placed.at("down"), message, help)
}

/// A fifth of `time`, in whole seconds where it has some.
fn shorter(time: Duration) -> Time {
    let fifth = time / 5;
    Time(if fifth.as_secs() > 0 {
        Duration::from_secs(fifth.as_secs())
    } else {
        fifth.max(Duration::from_millis(1))
    })
}

/// A fault that withholds bytes for less time than passes between two messages may find none to withhold.
fn short<W: World>(look: Look<'_, W>, placed: &Placed<'_>) -> Option<Remark> {
    let needs_bytes = matches!(proof(placed.fault), Proof::Delayed | Proof::Withheld | Proof::WithheldOrHung);
    let peer = look.scenario.world.get(placed.fault.link()?)?;
    let every = look.world.talks_every(peer).filter(|_| needs_bytes)?;
    let (lasts, key) = match placed.fault {
        Fault::Flap(flap) => (flap.down.0, "down"),
        _ => (window(placed)?, "for"),
    };
    if lasts >= every {
        return None;
    }
    let message = format!(
        "`{}` lasts {}, and a message comes every {}: most of the time there is nothing to take hold of",
        placed.fault.name(),
        Time(lasts),
        Time(every)
    );
    let help = format!("let it last at least {}", Time(every * 2));
    Some(Remark::new("fault-shorter-than-talk", placed.at(key), message, help))
}
