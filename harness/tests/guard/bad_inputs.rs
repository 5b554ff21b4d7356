//! Tests that fail by themselves, hang, or cannot be played twice.

use crate::play;

#[test]
fn a_body_that_fails_by_itself_fails_as_it_would_without_a_guard() {
    let panics = play("panics");
    panics.fails_with(&["a reason of its own"]);
    assert!(!panics.text.contains("watertight: "), "{}", panics.text);
    let error = play("returns_an_error");
    error.fails_with(&["an error of its own"]);
    assert!(!error.text.contains("watertight: "), "{}", error.text);
}

#[test]
fn a_leak_is_no_panic_that_should_be() {
    play("panics_as_it_should").passes();
    play("panics_as_it_should_and_leaks").fails_with(&["watertight: leak of tasks"]);
    play("leaks_in_the_place_of_a_panic").fails_with(&["test did not panic as expected"]);
}

#[test]
fn a_body_that_hangs_ends_at_its_timeout() {
    for specimen in ["hangs", "hangs_in_paused_time"] {
        play(specimen).fails_with(&["did not end within 100 ms", specimen]);
    }
    play("blocks_its_own_thread").fails_with(&["blocks its thread", "blocks_its_own_thread"]);
}

#[test]
fn a_body_that_cannot_be_played_twice_is_told_so() {
    play("fails_the_second_time").fails_with(&["leak of fds", "fails when it is played a second time"]);
    play("fails_in_its_second_cycle").fails_with(&["already played", "failed after 1 play that passed"]);
}

#[test]
fn a_guard_is_held_by_hand() {
    play("guards_by_hand").passes();
    play("drops_a_guard_unchecked").fails_with(&["watertight: stayed behind: 1 task"]);
}
