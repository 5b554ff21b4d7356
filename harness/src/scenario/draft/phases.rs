//! What a template writes under `cycle:`.

use super::Template;
use super::ground::Ground;

/// The phases: what goes wrong, and the settling.
pub(super) fn lines(template: Template, ground: &Ground) -> String {
    let (server, consumer) = (ground.server(), ground.consumer());
    let disturb = match template {
        Template::FlappingNetwork => phase(
            "flap",
            "Down for two seconds after each three, again and again; connections end with a RST.",
            &[format!("flap: {{ link: {server}, up: 3s, down: 2s, jitter: 20%, mode: reset }}")],
        ),
        Template::ReconnectStorm => phase(
            "storm",
            "Everybody is cut off, and others connect and walk away in the middle of their first message.",
            &[
                format!("flap: {{ link: {server}, up: 4s, down: 1s, jitter: 20%, mode: reset }}"),
                format!("storm: {{ link: {consumer}, conns: 20, over: 10s, abandon: mid_frame }}"),
            ],
        ),
        Template::SlowConsumer => phase(
            "crawl",
            "Far less is read than is sent.",
            &[format!("slow_read: {{ link: {consumer}, rate: 64B/s }}")],
        ),
        Template::SilentPeer => phase(
            "silence",
            "Nothing gets through and nobody is told; what is held back is lost when it heals.",
            &[format!("blackhole: {{ link: {server}, on_heal: drop }}")],
        ),
        Template::HalfOpen => half_open(ground),
        Template::ConfigReload => reload(ground),
        Template::RestartTarget => restart(ground),
        Template::Steady => load("load", "Nothing goes wrong: what grows here grows by itself."),
    };
    format!(
        "\n# One cycle: it is disturbed, every fault heals at its phase's end, it comes to rest, it is counted.\ncycle:\n{disturb}{}",
        settle(ground)
    )
}

fn phase(name: &str, about: &str, faults: &[String]) -> String {
    let faults: String = faults.iter().map(|fault| format!("      - {fault}\n")).collect();
    format!("  # {about}\n  - name: {name}\n    for: 20s\n    faults:\n{faults}")
}

fn load(name: &str, about: &str) -> String {
    format!("  # {about}\n  - name: {name}\n    for: 10s\n")
}

fn reload(ground: &Ground) -> String {
    match ground.reload_with() {
        Some(with) => {
            let new = format!("reload: {{ at: 2s, with: {with} }}");
            let new = phase("new", "Other settings come; whatever is not named stays as it was.", &[new]);
            let old = phase("old", "A plain reload takes them back.", &["reload: { at: 2s }".to_owned()]);
            format!("{new}{old}")
        }
        None => phase(
            "reload",
            "A SIGHUP: a program that does not handle it is ended by it, and the run says so.",
            &["reload: { at: 2s }".to_owned()],
        ),
    }
}

/// How soon somebody else's program notices by itself nobody here knows: it is told in the end, or it would be blamed for being patient.
fn half_open(ground: &Ground) -> String {
    let link = ground.server();
    if ground.is_own() {
        let about = "The other side is gone without a FIN, and nobody ever says so: the target must notice by itself.";
        return phase("vanish", about, &[format!("half_open: {{ link: {link} }}")]);
    }
    let about = "The other side is gone without a FIN; once it is back, it answers what is left with a RST. \
                 Without `on_heal` the target must notice by itself.";
    phase("vanish", about, &[format!("half_open: {{ link: {link}, on_heal: reset }}")])
}

fn restart(ground: &Ground) -> String {
    let stop = "kill: { signal: TERM, within: 10s, restart: true }".to_owned();
    let about = match ground.is_own() {
        true => "It must end within its time, and is started again.",
        false => {
            "It must end in order within its time, and is started again; if it does not handle SIGTERM, the run says so."
        }
    };
    format!("{}{}", load("load", "It works for a while."), phase("stop", about, &[stop]))
}

fn settle(ground: &Ground) -> String {
    let at_rest = ground.at_rest();
    if at_rest.is_empty() {
        return "  # Rest: no figure of the target is known, so it is given its time and watched.\n  \
                - { name: settle, within: 60s, until: {}, watch: 6s }\n"
            .to_owned();
    }
    format!(
        "  # At rest once its own figures say so, and inconclusive if they do not within the bound.\n  \
         - name: settle\n    within: 90s\n    until: {{ {at_rest} }}\n"
    )
}
